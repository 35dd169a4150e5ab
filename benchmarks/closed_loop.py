"""How long all users of a dataset take through the closed loop under IRN, at any dials.

    OMP_NUM_THREADS=2 python benchmarks/closed_loop.py runs/ml-1m/models/model-irn-... \
        runs/ml-1m/models/evaluator-sasrec-... --data ml-1m \
        --dials '{"floor": 100, "lookahead": 0.5}'

Users are driven by the judge; twenty rounds each.  The target is 180 s for the 6,040 users of
MovieLens-1M on two cores.
"""

import argparse
import json
import resource
import time

import influpath as ip
from influpath.simulation.outcomes import Outcomes

parser = argparse.ArgumentParser()
parser.add_argument("irn", help="folder of the planner's model")
parser.add_argument("judge", help="folder of the judge")
parser.add_argument("--data", default="ml-1m")
parser.add_argument("--rounds", type=int, default=20)
parser.add_argument("--dials", type=json.loads, default={}, help="of the planner, as JSON")
arguments = parser.parse_args()

dataset = ip.load_dataset(arguments.data)
train = ip.leave_last_out(dataset).train
pairs = ip.sample_pairs(dataset, seed=1)
planner = ip.IRNPlanner(ip.load_model(arguments.irn), **arguments.dials)
users = ip.JudgeUserModel(ip.load_model(arguments.judge))
config = ip.LoopConfig(rounds=arguments.rounds)
began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
visits = ip.simulate(planner, users, pairs, train, config, batch_size=512)
seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
means = Outcomes.of({"irn": visits}, pairs, arguments.rounds).intervals(seed=1)["irn"]
print(
    f"{pairs.height} users, {visits.rounds.height} rounds: {seconds:.0f} s, "
    f"{processor:.0f} s of processor time; peak memory {after.ru_maxrss / 2**20:.1f} GiB"
)
print(", ".join(f"{name} {interval.mean:.3f}" for name, interval in means.items()))
