"""usage outlives its execution"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("usage_events", schema=None) as batch_op:
        batch_op.drop_constraint("fk_usage_events_execution_id_executions", type_="foreignkey")
