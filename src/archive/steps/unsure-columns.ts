/**
 * Finds columns that may have been renamed: the table lost a column, and has a new or a similar one, and its system
 * does not identify columns. Every command that reads archived values by column names must use this check.
 */
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { Unsure } from '../types/index.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { flagWord } from './refusals.ts'

/** The user's statements about columns. `renamed`: texts of the form `OLD=NEW`. `dropped`: names. */
type Words = { readonly renamed?: readonly string[]; readonly dropped?: readonly string[] }

/**
 * Error if archived values cannot be read by the present column names, because a column may have been renamed.
 * @param names columns that are read; null for all
 * @param partitions archived rows that are read
 * @returns null if no file of these partitions has an uncertain column, or no such column is read
 */
export function doubtOf(
  table: Pick<TableSpec, 'table' | 'columns'>,
  unsure: Unsure | null,
  names: ReadonlySet<string> | null,
  partitions: readonly Pick<ArchivedPartition, 'columns'>[],
): SluiceError | null {
  if (unsure === null) return null
  const filed = new Set(partitions.flatMap(({ columns }) => columns.map(({ physical }) => physical)))
  const isFiled = ({ physical, was = [] }: StoredColumn): boolean => [physical, ...was].some((one) => filed.has(one))
  const gone = unsure.fresh.length === 0 ? [] : unsure.gone.filter(isFiled)
  const taken = unsure.taken.map(({ column, of }) => [column, ...of]).filter((either) => either.some(isFiled))
  const doubted = [...[...gone, ...taken.flat()].map(({ name }) => name), ...(gone.length === 0 ? [] : unsure.fresh)]
  return doubted.some((name) => names?.has(name) ?? true) ? unsureError(table, unsure) : null
}

/** Warns about uncertain columns, for a command that reads no column by name. */
export function reportDoubt(
  table: Pick<TableSpec, 'table' | 'columns'>,
  unsure: Unsure | null,
  partitions: readonly Pick<ArchivedPartition, 'columns'>[],
  { emit }: Run<'log'>,
): void {
  const doubt = doubtOf(table, unsure, null, partitions)
  if (doubt === null) return
  const { message, hint = '' } = doubt
  emit({ type: 'log', level: 'warn', table: tableText(table.table), message, hint })
}

/** Error for uncertain columns. @param words the user's statements on other columns @param hint replaces the hint */
export function unsureError(
  { table, columns }: Pick<TableSpec, 'table' | 'columns'>,
  unsure: Unsure,
  { renamed = [], dropped = [] }: Words = {},
  hint?: string,
): SluiceError {
  const name = tableText(table)
  const { gone: lost, fresh } = unsure
  if (fresh.length === 0) return takenNameError(name, unsure, { renamed, dropped }, hint)
  const gone = lost.map((column) => column.name)
  const is = (names: readonly string[]): string => `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'}`
  const { pairs, open, without } = paired(
    lost,
    columns.filter((column) => fresh.includes(column.name)),
  )
  const same = recordCommand(name, {
    renamed: [...renamed, ...pairs, ...(open.length === 0 ? [] : ['OLD=NEW'])],
    dropped: [...dropped, ...without],
  })
  const other = recordCommand(name, { renamed, dropped: [...dropped, ...gone] })
  const kept = gone.filter((old) => !without.includes(old))
  const which = without.length === 0 ? (gone.length === 1 ? 'it' : 'they') : kept.join(' and ')
  const one = kept.length === 1 ? `${which} is the same column` : `${which} are the same columns`
  const chosen =
    open.length === 0 ? '' : ` (${open.map(({ old, news }) => `for ${old} one of ${news.join(', ')}`).join('; ')})`
  const mixed = gone.length === 1 ? '' : '; repeat the flag for each missing column'
  return new SluiceError(
    'PLAN_CHANGED',
    `the columns of ${name} differ from those of its archive: ${is(gone)} missing, ${is(fresh)} new`,
    {
      where: name,
      reason: 'this system has no column ids, so a renamed column looks like a dropped and an added one',
      hint: hint ?? `if ${one}, run ${same}${chosen}; if not, run ${other}${mixed}; then run the same command again`,
    },
  )
}

/** Error for columns that may have the name of a dropped one. */
function takenNameError(
  name: string,
  { gone: lost, taken }: Unsure,
  { renamed, dropped }: Required<Words>,
  hint?: string,
): SluiceError {
  const types = new Set(taken.flatMap(({ of }) => of.map(({ column }) => column.native)))
  const gone = lost.flatMap((column) => (types.has(column.column.native) ? [column.name] : []))
  const kept = recordCommand(name, { renamed, dropped: [...dropped, ...gone] })
  const [[now, then] = [], ...more] = taken.flatMap(({ column, of }) => of.map((one) => [column.name, one.name]))
  const back =
    now === undefined || then === undefined || more.length > 0 || gone.length > 1
      ? `give the columns their archived names again, run ${recordCommand(name, { renamed: [], dropped: [] })} with --dropped for each missing column, then rename one after the other, and run ${recordCommand(name, { renamed: ['OLD=NEW'], dropped: [] })} after each`
      : `rename ${now} to ${then}, run ${recordCommand(name, { renamed, dropped: [...dropped, now] })}, rename it back to ${now}, then run ${recordCommand(name, { renamed: [...renamed, `${then}=${now}`], dropped })}`
  return new SluiceError(
    'PLAN_CHANGED',
    `the columns of ${name} differ from those of its archive: ${gone.join(', ')} ${gone.length === 1 ? 'is' : 'are'} missing, and ${takenText(taken)}`,
    {
      where: name,
      reason:
        'this system has no column ids, so a renamed column that took the name of a dropped one looks like the dropped one',
      hint: hint ?? `if all columns kept their names, run ${kept}; if not, ${back}; then run the same command again`,
    },
  )
}

/** Text such as `v may be the renamed column w`. */
function takenText(taken: Unsure['taken']): string {
  const texts = taken.map(
    ({ column, of }) => `${column.name} may be the renamed column ${of.map(({ name }) => name).join(' or ')}`,
  )
  return texts.join(', ')
}

/**
 * Finds for each dropped column the new columns that may be the same: their types must be of the same kind.
 * @returns `pairs`: columns with one candidate, which is no candidate of another column; `open`: all other columns with
 * candidates; `without`: columns without a candidate
 */
function paired(
  gone: Unsure['gone'],
  fresh: TableSpec['columns'],
): {
  readonly pairs: readonly string[]
  readonly open: readonly { readonly old: string; readonly news: readonly string[] }[]
  readonly without: readonly string[]
} {
  const isOnly = gone.length === 1 && fresh.length === 1
  const isOne = (old: StoredColumn, now: Column): boolean => isOnly || old.column.type.kind === now.type.kind
  const all = gone.map((old) => {
    const news = fresh.filter((now) => isOne(old, now))
    const [only] = news
    const isSure = news.length === 1 && only !== undefined && gone.filter((other) => isOne(other, only)).length === 1
    return { old: old.name, news: news.map(({ name }) => name), isSure }
  })
  if (all.every(({ news }) => news.length === 0)) {
    const news = fresh.map(({ name }) => name)
    return { pairs: [], open: gone.map(({ name }) => ({ old: name, news })), without: [] }
  }
  return {
    pairs: all.flatMap(({ old, news, isSure }) => (isSure ? [`${old}=${news[0] ?? ''}`] : [])),
    open: all.filter(({ news, isSure }) => news.length > 0 && !isSure),
    without: all.flatMap(({ old, news }) => (news.length === 0 ? [old] : [])),
  }
}

/** Command such as `sluice archive run --table public.visits --renamed note=remark`, which records changed columns. */
export function recordCommand(name: string, { renamed, dropped }: Required<Words>): string {
  const words = [
    ...renamed.flatMap((text) => flagWord('--renamed', text)),
    ...dropped.flatMap((column) => flagWord('--dropped', column)),
  ]
  return ['sluice', 'archive', 'run', ...flagWord('--table', name), ...words].map(shellQuote).join(' ')
}
