// The charts, drawn by ECharts from the tables beside them: the tables are the truth.
const VENDOR = "./vendor/echarts/echarts.common.min.js";
const drawn = new Map();
// Points of the frontier that are labelled; all of them would not fit.
const LABELLED = new Set([0, 0.5, 1, 1.5, 2]);
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
let loading;

async function library() {
  loading ??= import(VENDOR).then(() => globalThis.echarts);
  return loading;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A probability as people say it; the server says the same in the tables. */
function oneIn(probability) {
  if (probability >= 0.995) return "nearly always";
  const chance = 1 / probability;
  if (chance < 10) return `1 in ${Number(chance.toFixed(1))}`;
  const size = 10 ** (Math.floor(Math.log10(chance)) - 1);
  return `1 in ${(Math.round(chance / size) * size).toLocaleString("en")}`;
}

const power = (value) => {
  const chance = Math.round(1 / value);
  if (chance < 1e4) return `1 in ${chance.toLocaleString("en")}`;
  return chance < 1e6 ? `1 in ${chance / 1e3}k` : `1 in ${chance / 1e6}M`;
};

const axis = (name, more) => ({
  name, nameLocation: "middle", nameTextStyle: { color: colour("soft") },
  axisLabel: { color: colour("soft") }, axisLine: { lineStyle: { color: colour("edge") } },
  splitLine: { lineStyle: { color: colour("line") } }, ...more,
});

const common = () => ({
  animation: !still, animationDuration: 250,
  textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
  // Text on the canvas: markup in tooltips would need styles that the page forbids.
  tooltip: {
    renderMode: "richText", confine: true, backgroundColor: colour("raised"), borderColor: colour("edge"),
    textStyle: { color: colour("ink"), fontSize: 12 },
  },
  legend: {
    bottom: 0, itemWidth: 26, textStyle: { color: colour("ink"), fontSize: 12 }, inactiveColor: colour("edge"),
  },
});

/** Show a chart and its button, or leave them out where there is nothing to draw. */
function show(place, wanted) {
  place.hidden = !wanted;
  document.querySelector(`[data-png="${place.id}"]`).hidden = !wanted;
}

async function draw(id, option) {
  const place = document.getElementById(id);
  if (!place) return;
  const echarts = await library();
  let chart = drawn.get(id);
  if (!chart) {
    chart = echarts.init(place);
    drawn.set(id, chart);
    new ResizeObserver(() => chart.resize()).observe(place);
  }
  chart.setOption({ ...common(), ...option }, true);
}

const tables = (id) => [...document.querySelectorAll(`#${id} table[data-planner]`)];

/** Probabilities of objective and item at each step. */
export function drawChances() {
  const all = tables("chances-data");
  const series = all.flatMap((table, place) => {
    const rows = [...table.tBodies[0].rows];
    const name = all.length > 1 ? `, ${table.dataset.planner}` : "";
    const points = (key) =>
      rows.filter((row) => row.dataset[key]).map((row) => ({
        value: [row.dataset.step, Math.max(Number(row.dataset[key]), 1e-9)], title: row.dataset.title,
      }));
    const suffix = place ? "-2" : "";
    return [
      {
        type: "line", name: `the objective${name}`, data: points("objective"), symbol: place ? "rect" : "circle",
        symbolSize: 7, lineStyle: { width: 2.5 }, itemStyle: { color: colour(`goal${suffix}`) },
      },
      {
        type: "line", name: `the item${name}`, data: points("item"), symbol: place ? "triangle" : "diamond",
        symbolSize: 8, lineStyle: { width: 1.5, type: "dashed" }, itemStyle: { color: colour(`item${suffix}`) },
      },
    ];
  });
  const place = document.getElementById("chances");
  const some = series.some((each) => each.data.length > 1);
  if (place) show(place, some);
  if (!some) return undefined;
  const values = series.flatMap((each) => each.data.map((point) => point.value[1]));
  const steps = [...new Set(series.flatMap((each) => each.data.map((point) => point.value[0])))];
  steps.sort((a, b) => (a === "end") - (b === "end") || a - b);
  const least = 10 ** Math.floor(Math.log10(Math.min(0.1, ...values)));
  return draw("chances", {
    grid: { left: 74, right: 14, top: 12, bottom: all.length > 1 ? 84 : 66 },
    xAxis: axis("step", { type: "category", data: steps, nameGap: 24, boundaryGap: false }),
    yAxis: axis("would pick it", {
      type: "log", min: least, max: 1, nameGap: 56,
      axisLabel: { color: colour("soft"), formatter: (value) => (value >= 1 ? "certain" : power(value)) },
    }),
    tooltip: {
      ...common().tooltip, trigger: "axis",
      formatter: (found) =>
        [`Step ${found[0].axisValue}`, ...found.map((each) => `${each.seriesName}: ${oneIn(each.value[1])}`)].join("\n"),
    },
    series,
  });
}

const pointsOf = (table) =>
  [...table.tBodies[0].rows].filter((row) => row.dataset.x).map((row) => ({
    aggressiveness: Number(row.dataset.aggressiveness), x: Number(row.dataset.x), y: Number(row.dataset.y),
  }));

/** What stands at each point of the frontier: its aggressiveness; of points in one place, at the first, all of theirs. */
function labelled(points) {
  const first = new Map();
  return points.map((point) => {
    const place = `${point.x.toFixed(3)} ${point.y.toFixed(3)}`;
    const labels = first.get(place) ?? [];
    if (LABELLED.has(point.aggressiveness)) labels.push(point.aggressiveness);
    if (first.has(place)) return { ...point, labels: [] };
    first.set(place, labels);
    return { ...point, labels };
  });
}

/** Where a planner stands at some aggressiveness: as its path says, or between its known points. */
function standing(planner, aggressiveness) {
  const path = tables("chances-data").find((table) => table.dataset.planner === planner);
  if (path?.dataset.x && Math.abs(Number(path.dataset.aggressiveness) - aggressiveness) < 1e-9) {
    return [Number(path.dataset.x), Number(path.dataset.y)];
  }
  const table = tables("frontier-data").find((each) => each.dataset.planner === planner);
  const points = table ? pointsOf(table).sort((a, b) => a.aggressiveness - b.aggressiveness) : [];
  const after = points.findIndex((point) => point.aggressiveness >= aggressiveness);
  if (!points.length) return null;
  if (after <= 0) {
    const end = after === 0 ? points[0] : points.at(-1);
    return [end.x, end.y];
  }
  const [low, high] = [points[after - 1], points[after]];
  const share = (aggressiveness - low.aggressiveness) / (high.aggressiveness - low.aggressiveness);
  return [low.x + share * (high.x - low.x), low.y + share * (high.y - low.y)];
}

/** Interest won against surprise, a point for each aggressiveness and a ring where one is. */
export function drawFrontier(aggressiveness) {
  const all = tables("frontier-data");
  const place = document.getElementById("frontier");
  if (!place) return undefined;
  show(place, all.length > 0);
  if (!all.length) return undefined;
  const rings = [];
  const series = all.flatMap((table, number) => {
    const tint = colour(number ? "goal-2" : "goal");
    const at = standing(table.dataset.planner, aggressiveness);
    if (at) rings.push(at);
    return [
      {
        type: "line", name: table.dataset.planner, symbol: number ? "rect" : "circle", symbolSize: 8,
        lineStyle: { width: 1.5, opacity: 0.6 }, itemStyle: { color: tint },
        data: labelled(pointsOf(table)).map(({ x, y, ...about }) => ({ value: [x, y], ...about })),
        label: {
          // Clear of the ring.
          show: true, position: "top", distance: 11, color: colour("soft"), fontSize: 11,
          formatter: ({ data: { labels } }) => labels.join(", "),
        },
        labelLayout: { hideOverlap: true },
      },
      {
        type: "scatter", name: `${table.dataset.planner}: now`, data: at ? [at] : [], symbolSize: 20, z: 5,
        itemStyle: { color: "transparent", borderColor: colour("item"), borderWidth: 3 },
      },
    ];
  });
  // Where the ring stands, for whoever cannot see the canvas (tests, too).
  place.dataset.now = rings.map((at) => at.map((value) => value.toFixed(3)).join(" ")).join("; ");
  return draw("frontier", {
    grid: { left: 56, right: 20, top: 28, bottom: all.length > 1 ? 70 : 44 },
    xAxis: axis("surprise per step, log(PPL) in nats", { type: "value", scale: true, nameGap: 26 }),
    yAxis: axis("interest won, IoI in nats", { type: "value", scale: true, nameGap: 38 }),
    legend: { ...common().legend, show: all.length > 1, data: all.map((table) => table.dataset.planner) },
    tooltip: {
      ...common().tooltip, trigger: "item",
      formatter: ({ seriesName, data }) => {
        const [x, y] = data.value ?? data;
        const dial = data.aggressiveness === undefined ? "" : `\naggressiveness ${data.aggressiveness}`;
        return `${seriesName}${dial}\nlog(PPL) ${x.toFixed(2)}\nIoI ${y.toFixed(2)}`;
      },
    },
    series,
  });
}

/** Shown items of a campaign by what became of them, day by day. */
export function drawDays() {
  const rows = [...(document.getElementById("days-data")?.tBodies[0].rows ?? [])];
  const days = rows.map((row) => {
    const [shown, accepted, rejected, arrived] = [...row.cells].slice(1).map((cell) => Number(cell.textContent));
    return { day: row.dataset.day, accepted, rejected, open: Math.max(shown - accepted - rejected, 0), arrived };
  });
  if (!days.length) return undefined;
  const bar = (name, key, tint, decal) => ({
    type: "bar", stack: "answers", name, data: days.map((each) => each[key]), barMaxWidth: 36,
    itemStyle: { color: colour(tint), decal },
  });
  const labels = days.map((each) => each.day);
  // Three ticks are as many as the lower scale has room for.
  const tick = Math.max(1, Math.ceil(Math.max(...days.map((each) => each.arrived)) / 2));
  return draw("days", {
    // Arrivals are few beside answers: they have a scale of their own, below.
    grid: [{ left: 56, right: 14, top: 14, height: "44%" }, { left: 56, right: 14, top: "60%", bottom: 68 }],
    xAxis: [0, 1].map((gridIndex) => axis("", {
      type: "category", data: labels, gridIndex, axisTick: { show: false },
      axisLabel: { show: gridIndex === 1, color: colour("soft") },
    })),
    yAxis: ["items", "arrivals"].map((name, gridIndex) =>
      axis(name, {
        type: "value", minInterval: 1, nameGap: 38, gridIndex,
        ...(gridIndex ? { interval: tick, max: 2 * tick } : { splitNumber: 4 }),
      })),
    tooltip: { ...common().tooltip, trigger: "axis" },
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    series: [
      bar("accepted", "accepted", "goal"),
      bar("rejected", "rejected", "item", {
        symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 4], rotation: 0.8, color: colour("page"),
      }),
      bar("ignored or open", "open", "held"),
      {
        type: "bar", name: "users who arrived", data: days.map((each) => each.arrived), barMaxWidth: 36,
        xAxisIndex: 1, yAxisIndex: 1, itemStyle: { color: colour("goal-2") },
      },
    ],
  });
}

/** Save a chart as a picture. */
export async function savePicture(id) {
  const chart = drawn.get(id);
  if (!chart) return;
  const canvas = chart.renderToCanvas({ pixelRatio: 2, backgroundColor: colour("page") });
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${id}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Redraw when colours change, and save pictures where a button says so. */
export function attachCharts(redraw) {
  document.addEventListener("themechange", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-png]");
    if (button) savePicture(button.dataset.png);
  });
  redraw();
}
