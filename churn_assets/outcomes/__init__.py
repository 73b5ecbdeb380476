"""What it brought: decisions joined with what happened, treated compared with control, other
policies judged on the same record, and whether choosing by customer helps at all.
"""
