/** Compares the present columns of an archived table with the columns of its archive. */
import type { ArchiveRecord } from '../ledger/record.ts'
import {
  evolved,
  isWidening,
  retypedText,
  unsureOf,
  type ColumnChange,
  type EvolveOptions,
  type Unsure,
} from '../types/index.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { withExpressions } from './new-archive.ts'
import { keptNames } from './noted-values.ts'

/** The user's statements about columns that the source cannot identify. */
export type ColumnWords = {
  /** `OLD=NEW`; `NAME=NAME`: the column kept its name. */
  readonly renamed?: readonly string[]
  readonly dropped?: readonly string[]
  readonly asText?: readonly string[]
  /** True: a column with a wider type keeps its field in the archive. */
  readonly widen?: boolean
}

/** The archive as the next publication would write it. */
export type PresentArchive = {
  readonly record: ArchiveRecord
  readonly changes: readonly ColumnChange[]
  readonly unsure: Unsure | null
}

/**
 * The archive of a table with the table's present columns. Partitions keep the columns of their files.
 * @throws SluiceError BAD_FLAG for a missing column; UNSUPPORTED_TYPE if a column cannot be stored; PLAN_CHANGED
 */
export async function presentArchive(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord,
  signal: AbortSignal,
  words: ColumnWords = {},
): Promise<PresentArchive> {
  if (table.columns.length === 0) return { record, changes: [], unsure: null }
  const described = await withExpressions(store, table, signal)
  const options: EvolveOptions = {
    ...(await known(store, table, signal)),
    ...statedColumns(words, table, record),
    asText: words.asText ?? [],
    isLoose: store.can.looseTypes === true,
    widen: words.widen === true,
    comments: (await store.offers.columnFacts?.comments(table, signal)) ?? {},
  }
  const first = evolved(described, record.stored, options)
  const sure = await keptNames(store, table, record, first.unsure?.taken ?? [], signal)
  const { stored, changes, unsure } = sure.size === 0 ? first : evolved(described, record.stored, { ...options, sure })
  const moved = changes.find((change) => change.kind === 'renamed' && change.from === record.timeColumn)
  const timeColumn = moved === undefined ? record.timeColumn : moved.column.name
  return { record: { ...record, stored, timeColumn }, changes, unsure }
}

/**
 * As `presentArchive`, for a caller that publishes nothing. Uncertain columns appear as dropped and added; a caller
 * that reads their values must call `doubtOf` first.
 */
export async function readOnlyArchive(
  store: CopyStore,
  table: TableSpec,
  record: ArchiveRecord,
  signal: AbortSignal,
): Promise<PresentArchive> {
  try {
    return await presentArchive(store, table, record, signal)
  } catch (thrown) {
    // A column that a run would refuse must not prevent reading the archive.
    if (!(thrown instanceof SluiceError) || !IGNORED_CODES.has(thrown.code)) throw thrown
    const options = await known(store, table, signal)
    const taken = unsureOf(table, record.stored, options)?.taken ?? []
    const sure = await keptNames(store, table, record, taken, signal)
    return { record, changes: [], unsure: unsureOf(table, record.stored, { ...options, sure }) }
  }
}

/**
 * Identities of columns, if the system has them. `canRename` is false for a system without table identities: it cannot
 * rename columns unnoticed.
 */
async function known(
  store: CopyStore,
  table: TableSpec,
  signal: AbortSignal,
): Promise<Pick<EvolveOptions, 'numbers' | 'canRename'>> {
  const numbers = (await store.offers.columnFacts?.numbers(table, signal)) ?? null
  return { numbers, canRename: store.offers.identities != null }
}

const IGNORED_CODES: ReadonlySet<string> = new Set(['UNSUPPORTED_TYPE', 'PLAN_CHANGED'])

function statedColumns(
  { renamed = [], dropped = [] }: ColumnWords,
  { columns }: TableSpec,
  { stored }: ArchiveRecord,
): { readonly renamed: ReadonlyMap<string, string>; readonly dropped: ReadonlySet<string> } {
  const has = (name: string): boolean => columns.some((column) => column.name === name)
  const had = (name: string): boolean => stored.columns.some((column) => column.name === name)
  const names = new Map<string, string>()
  for (const text of renamed) {
    const at = text.indexOf('=')
    const [from, to] = [text.slice(0, at), text.slice(at + 1)]
    if (at < 1 || to === '')
      throw new SluiceError('BAD_FLAG', `--renamed ${text} does not name two columns`, {
        hint: 'write it like OLD=NEW',
      })
    // The rename was already applied: accept the flag, because scheduled runs repeat it.
    if (!had(from) && had(to)) continue
    if (!had(from)) throw new SluiceError('BAD_FLAG', `--renamed ${text}: the archive has no column ${from}`)
    if (!has(to) || (had(to) && from !== to))
      throw new SluiceError('BAD_FLAG', `--renamed ${text}: ${to} is not a new column of the table`)
    if (has(from) && from !== to)
      throw new SluiceError('BAD_FLAG', `--renamed ${text}: the table still has the column ${from}`)
    names.set(from, to)
  }
  for (const name of dropped) {
    if (has(name)) throw new SluiceError('BAD_FLAG', `--dropped ${name}: the table still has the column`)
  }
  return { renamed: names, dropped: new Set(dropped) }
}

/** Texts of all changes. A column dropped and added again under its name is one change. */
export function changeTexts(changes: readonly ColumnChange[]): readonly string[] {
  const has = (kind: ColumnChange['kind'], name: string): boolean =>
    changes.some((one) => one.kind === kind && one.column.name === name)
  return changes.flatMap((change) => {
    const { name } = change.column
    if (change.kind === 'dropped' && has('added', name)) return []
    if (change.kind !== 'added' || !has('dropped', name)) return [changeText(change)]
    return [
      `${name} was dropped and added again, so it is another column: archived rows have NULL there, and values of the first one stay in older versions of the archive`,
    ]
  })
}

/** Text: what the next publication does with a column, and the effect on older rows. */
export function changeText(change: ColumnChange): string {
  const { name, column } = change.column
  switch (change.kind) {
    case 'added': {
      const isFilled = column.nullable || column.hasDefault === true || column.generated === true
      const value = column.hasDefault === true ? 'its default' : 'NULL'
      const back = column.generated === true ? 'the value that the database computes' : value
      const lacking =
        column.identity === true
          ? 'rows restored from them get new numbers; a partition with them cannot be attached again'
          : 'a restore of them needs a value for it'
      const effect = isFilled ? `rows restored from them get ${back}` : lacking
      return `${name} is new: the next publication adds it to the archive; older files have NULL there, and ${effect}`
    }
    case 'dropped':
      return `${name} is gone: the next publication removes it from the archive; older versions of the archive still show its values`
    case 'renamed':
      return `${change.from} is called ${name} now: the next publication renames it in the archive, older files included`
    case 'retyped':
      return `${retypedText(change.kept, change.column)}: the next publication adds it as a new column, and older values are called ${change.kept.name}${widerText(change.kept, change.column)}`
    case 'widened':
      return `${retypedText(change.from, change.column)}: the next publication widens it in the archive, older files included; readers without type widening can no longer read the archive after that`
  }
}

function widerText(kept: StoredColumn, column: StoredColumn): string {
  return isWidening(kept, column) ? '; --widen keeps it one column, for readers that support type widening' : ''
}
