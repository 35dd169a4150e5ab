import influpath as ip

dataset = ip.load_dataset("simulated")  # or "ml-1m", "lastfm", "log.csv", a polars or pandas frame
split = ip.leave_last_out(dataset)
irn = ip.IRN(seed=1, training={"epochs": 8, "learning_rate": 3e-3}).fit(split.train)
judge = ip.SASRec(seed=2, training={"epochs": 8, "learning_rate": 3e-3}).fit(split.train)
pairs = ip.sample_pairs(dataset, seed=3)  # one objective per user
paths = ip.plan(ip.IRNPlanner(irn, guidance=4, pace=3, floor=50), pairs, split.train)
print(ip.evaluate(judge, pairs, paths, split.train).text())
