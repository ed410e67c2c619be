"""Takes more memory than a replay may have."""

from temporalio import workflow

held = bytearray(8 << 30)


@workflow.defn(name="Invoice")
class Invoice:
    """Never gets here."""

    @workflow.run
    async def run(self, amount: int) -> int:
        """Nothing."""
        return amount
