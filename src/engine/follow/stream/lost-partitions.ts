/** Checks that the target still has the partitions that a copy has filled: the ledger records their rows as proved. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { PeriodOptions } from '../../../model/copy/period-marks.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ChunkLedger } from '../../copy/ledger/chunks.ts'
import { tableKeyOf, type RunOwner } from '../../copy/ledger/owner.ts'
import { CLOSED } from '../../copy/ledger/stored-chunk.ts'
import { partitionsOfRange, periodParts } from '../../copy/plan/period-cut.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'

/**
 * Checks the partitions of a stream that `partition run` began; returns at once for other streams.
 * @throws SluiceError PARTITION_CHANGED if a partition with copied rows is missing
 */
export async function refuseLostPartitions(
  { id, wishes }: Pick<StreamRow, 'id' | 'wishes'>,
  { tables: [one], to }: PlannedCopy,
  {
    database,
    owner,
    signal,
  }: { readonly database: LedgerDatabase; readonly owner: RunOwner; readonly signal: AbortSignal },
): Promise<void> {
  const { periods } = JSON.parse(wishes) as Pick<CopyOperation, 'periods'>
  const maintenance = to.offers.maintenance
  if (periods === undefined || one === undefined || maintenance === undefined || one.plan?.create !== false) return
  const { table } = one.plan.target
  const found = await maintenance.inspect(table, false, signal)
  const there = new Set(found?.partitions.map(({ name }) => name.name))
  const gone = namesOf(periods).filter((name) => !there.has(name))
  if (gone.length === 0) return
  const rows = await copiedRows(new ChunkLedger(database, tableKeyOf(one.targetName), owner), periods)
  const lost = gone.filter((name) => (rows.get(name) ?? 0n) > 0n)
  if (lost.length === 0) return
  const said = lost.map((name) => `${name} (${rows.get(name)} rows)`).join(', ')
  throw new SluiceError(
    'PARTITION_CHANGED',
    `${tableText(table)} has lost ${lost.length === 1 ? 'a partition' : 'partitions'} that this copy wrote into: ${said}`,
    {
      reason: `${lost.length === 1 ? 'it was' : 'they were'} dropped, detached or renamed after the copy; the ledger still records the rows as proved`,
      hint: `if a partition was detached or renamed, attach it again under its former name, then run the same command again; if it was dropped, create it again, then run sluice follow ${id} --until-equal, which copies its rows; to copy all rows again, begin again with --restart`,
    },
  )
}

function namesOf({ marks }: PeriodOptions): readonly string[] {
  return [...new Set(marks.flatMap(({ partition }) => partition ?? []))]
}

/** Copied rows, by partition. */
async function copiedRows(ledger: ChunkLedger, periods: PeriodOptions): Promise<ReadonlyMap<string, bigint>> {
  const parts = periodParts(periods)
  const rows = new Map<string, bigint>()
  for await (const { range, written } of ledger.each(CLOSED)) {
    const [partition, ...others] = partitionsOfRange(parts, range)
    // For a chunk over several partitions, the ledger does not have the rows of each, so the chunk is not counted.
    if (partition !== undefined && others.length === 0) rows.set(partition, (rows.get(partition) ?? 0n) + written)
  }
  return rows
}
