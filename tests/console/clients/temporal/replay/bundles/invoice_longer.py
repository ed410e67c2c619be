"""Workflow code that asks for a timer where build 1 asked for an activity, and ends earlier."""

from temporalio import workflow


@workflow.defn(name="Invoice")
class Invoice:
    """Waits first."""

    @workflow.run
    async def run(self, amount: int) -> str:
        """Never charges."""
        await workflow.sleep(5)
        return f"{amount} not charged"
