"""Workflow code as of build 1."""

from datetime import timedelta

from temporalio import workflow


@workflow.defn(name="Invoice")
class Invoice:
    """Charges, waits, then sends."""

    @workflow.run
    async def run(self, amount: int) -> str:
        """The order of these steps is what a replay compares."""
        for step in ("charge", "receipt"):
            await workflow.execute_activity(
                "do", step, activity_id=step, start_to_close_timeout=timedelta(seconds=10)
            )
            await workflow.sleep(0.01)
        return f"{amount} charged"
