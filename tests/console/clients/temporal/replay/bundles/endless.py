"""Never lets go, and catches whatever would stop it."""

from temporalio import workflow


@workflow.defn(name="Invoice")
class Invoice:
    """Endless."""

    @workflow.run
    async def run(self, amount: int) -> str:
        """Swallows the SDK's own way to interrupt a deadlock."""
        while True:
            try:
                while True:
                    pass
            except BaseException:  # noqa: S110 - that is the point
                pass
