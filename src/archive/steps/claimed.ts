/** Claims a partition for one change of an adoption, and releases it. */
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext, ClaimedPartition } from './context.ts'
import { leaseLostError } from './refusals.ts'

/** The partition as the ledger has it now. */
export type Reload = () => Promise<ArchivedPartition>

/** @throws SluiceError LEASE_LOST if another program works on the partition; errors of `work` */
export async function whileClaimed(
  { ledger, name }: ArchiveContext,
  label: string,
  reload: Reload,
  work: (claimed: ClaimedPartition) => Promise<void>,
): Promise<void> {
  const held = await ledger.claim(label, (await reload()).holder)
  if (held === null) throw leaseLostError(name, { label })
  try {
    await work({ partition: await reload(), held })
  } finally {
    await ledger.release(held).catch(() => undefined)
  }
}
