"""What goes with a deleted execution: its messages, with their deliveries and attempts."""

from sqlalchemy import delete
from sqlmodel import Session, col, select

from orchex.store.tables import AttemptRow, DeliveryRow, MessageRow


def forget_messages(session: Session, execution_id: str) -> None:
    """Part of the transaction that deletes it; what had not arrived yet never will."""
    messages = select(MessageRow.id).where(MessageRow.execution_id == execution_id)
    deliveries = select(DeliveryRow.id).where(col(DeliveryRow.message_id).in_(messages))
    session.exec(delete(AttemptRow).where(col(AttemptRow.delivery_id).in_(deliveries)))
    session.exec(delete(DeliveryRow).where(col(DeliveryRow.message_id).in_(messages)))
    session.exec(delete(MessageRow).where(col(MessageRow.execution_id) == execution_id))
