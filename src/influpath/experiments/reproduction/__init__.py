"""The paper's section IV, table by table and figure by figure, and the studies beyond it.

config.py    what is reproduced, with which settings (settings/*.toml)
bench.py     data, models, paths and judgements that the recipes share
recipe.py    what a recipe is; recipes/ holds one file per table or figure
stages.py    which recipes have to be made, training what they need, writing their results
page.py      docs/reproduction.md and report.html, made from the result files
"""
