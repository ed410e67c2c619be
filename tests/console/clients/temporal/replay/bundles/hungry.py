"""Takes all the memory it can get, inside the workflow."""

from temporalio import workflow


@workflow.defn(name="Invoice")
class Invoice:
    """Hungry."""

    @workflow.run
    async def run(self, amount: int) -> str:
        """Ends with a MemoryError, or with the process."""
        kept = []
        while True:
            kept.append(bytearray(64 << 20))
