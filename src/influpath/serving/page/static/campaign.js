// The dashboard of a campaign.
import { attachCharts, drawDays } from "./charts.js";

attachCharts(drawDays);
