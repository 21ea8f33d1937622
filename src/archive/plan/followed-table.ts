/** Refuses tables that a stream reads from or writes into: their rows may neither be archived nor restored. */
import { changesBy } from '../../model/copy/offers.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Emit } from '../../model/run/event.ts'
import { tableKeyOf } from '../../engine/copy/ledger/owner.ts'
import { streamsInto } from '../../engine/copy/ledger/stream-lookup.ts'
import type { OpenedArchive } from '../work/each-table.ts'

/** @throws SluiceError TABLE_FOLLOWED with the first of these tables that a stream uses */
export async function refuseFollowedTables(
  opened: Pick<OpenedArchive, 'store' | 'database'>,
  tables: readonly TableName[],
  signal: AbortSignal,
): Promise<void> {
  for (const table of tables) {
    const error = await followedError(opened, table, signal)
    if (error !== null) throw error
  }
}

/** Warns about tables that `refuseFollowedTables` would refuse; for a plan. */
export async function reportFollowedTables(
  opened: Pick<OpenedArchive, 'store' | 'database'>,
  tables: readonly TableName[],
  { emit, signal }: { readonly emit: Emit<'log'>; readonly signal: AbortSignal },
): Promise<void> {
  for (const table of tables) {
    const error = await followedError(opened, table, signal)
    if (error === null) continue
    const message = `a run would be refused: ${error.message}`
    const hint = error.hint === undefined ? {} : { hint: error.hint }
    emit({ type: 'log', level: 'warn', table: tableText(table), message, ...hint })
  }
}

async function followedError(
  { store, database }: Pick<OpenedArchive, 'store' | 'database'>,
  table: TableName,
  signal: AbortSignal,
): Promise<SluiceError | null> {
  const name = tableText(table)
  const isTarget = store.offers.changeTarget !== undefined
  const [into] = isTarget ? await streamsInto(store, { database, signal }, [tableKeyOf(table)]) : []
  if (into !== undefined) {
    return new SluiceError(
      'TABLE_FOLLOWED',
      `rows of ${name} cannot be removed or restored: stream ${into.id} writes into the table`,
      {
        where: store.label,
        reason:
          'the stream does not replicate an archive run or a restore: its next comparison would undo these changes',
        hint: `archive the table at its source, or end the stream first: sluice follow ${into.id} --end --from URL --to ${store.label}, with the URL of its source`,
      },
    )
  }
  for (const cdc of ['slot', 'trigger'] as const) {
    const source = changesBy(cdc, store)
    const [out] = (await source?.streamsOf?.(table, signal)) ?? []
    if (out !== undefined) return readFrom(store, name, out, source?.endByHand?.(out))
  }
  return null
}

function readFrom({ label }: OpenedArchive['store'], name: string, out: string, byHand?: string): SluiceError {
  const id = out.slice(out.lastIndexOf('_') + 1)
  const drop = byHand ?? `sluice slots --drop ${out}`
  return new SluiceError(
    'TABLE_FOLLOWED',
    `rows of ${name} cannot be removed or restored: stream ${id} reads from the table`,
    {
      where: label,
      reason:
        'a detached or restored partition halts the stream, and the stream would also remove the rows from its target',
      hint: `end the stream first: sluice follow ${id} --end --to URL, with the URL of its target; if the target no longer exists: ${drop}`,
    },
  )
}
