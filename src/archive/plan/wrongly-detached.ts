/** Reports, in read-only commands, partitions that an older program detached from a table of serial ids. */
import { restoreCommand } from '../steps/refusals.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { openArchiveSource, recordsOf, tableNow } from '../work/each-table.ts'
import { isMistaken, nativeKind } from './time-kind.ts'

/** Wrongly detached partitions: their rows exist, but the server refuses new rows between their bounds. */
async function mistakenIn(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord,
  signal: AbortSignal,
): Promise<readonly ArchivedPartition[]> {
  const detached = record.partitions.filter(({ state, native }) => state === 'DETACHED' && native !== null)
  if (table.columns.length === 0 || detached.length === 0) return []
  try {
    const natives = (await store.offers.partitions?.list(table, signal)) ?? null
    const kind = natives === null ? null : nativeKind(table, natives, record)
    const by = table.columns.find(({ name }) => name === natives?.by)
    return detached.filter((one) => isMistaken(one, by, kind))
  } catch (thrown) {
    // The table is now partitioned in another way, so no detached partition belongs into it.
    if (asSluiceError(thrown).code !== 'UNSUPPORTED_TYPE') throw thrown
    return []
  }
}

/** Messages about wrongly detached partitions of all tables in a database; empty without archives. */
export async function mistakenOf(
  url: string,
  signal: AbortSignal,
): Promise<readonly { readonly message: string; readonly hint: string }[]> {
  await using opened = await openArchiveSource(url, false)
  if (opened.store.offers.partitions === undefined) return []
  const texts = []
  for (const { name, record } of await recordsOf(opened, [], signal)) {
    const text = await mistakenText(opened.store, await tableNow(opened, name, signal), record, signal)
    if (text !== null) texts.push(text)
  }
  return texts
}

/** Message about wrongly detached partitions of a table; null if there are none. */
export async function mistakenText(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord,
  signal: AbortSignal,
): Promise<{ readonly message: string; readonly hint: string } | null> {
  const all = await mistakenIn(store, table, record, signal)
  const [first] = all
  if (first === undefined) return null
  const name = tableText(table.table)
  const labels = all.map(({ label }) => label).join(' and ')
  return {
    message: `an older sluice read the numbers of ${name} as times, and detached ${labels}: new rows between ${all.length === 1 ? 'its' : 'their'} bounds are refused by the server`,
    hint: `${restoreCommand(name, first, ...all.slice(1).flatMap(({ label }) => ['--partition', label]))} restores them; if the numbers are times, run archive run with --epoch s or ms`,
  }
}
