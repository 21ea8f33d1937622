/** Rows of a replicated table that a command names, as a condition for each side. */
import type { Column } from '../../../model/copy/column-type.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import { keyPart } from '../../../model/copy/row-key.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { keyedTargetTable } from '../../copy/table/context.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import { partitionWhere, type SidesWhere } from '../stream/partition-where.ts'
import { byIdentity } from '../compare/rereads.ts'

/** `range`: values of the first key column, both bounds included. `partition`: a partition of the source's table. */
export type ScopeOptions =
  | { readonly by: 'key'; readonly keys: readonly string[] }
  | { readonly by: 'range'; readonly low: string; readonly high: string }
  | { readonly by: 'partition'; readonly name: string }

/** Rows that are compared piece by piece. */
export type CompareScope = {
  /** Plan whose key defines the ranges of the pieces. */
  readonly plan: TablePlan
  readonly pieces: AsyncIterable<Range>
  readonly where: SidesWhere
}

/** Rows per piece: only pieces that differ are compared row by row. */
const PIECE_ROWS = 20_000

/** Row keys as the user wrote them, one text per column. @throws SluiceError BAD_FLAG */
export function namedKeys(table: FollowTable, words: readonly string[]): readonly (readonly string[])[] {
  const columns = identityColumns(table)
  return words.map((word) => {
    const parts = columns.length === 1 ? [word] : partsOf(word)
    if (parts.length !== columns.length) {
      throw new SluiceError('BAD_FLAG', `--key ${word} is not a key of ${table.name}`, {
        reason: `its key columns are ${table.source.identity.join(', ')}`,
        hint: `write it like --key ${columns.map(({ name }) => name).join(',')}; if a value contains a comma, as JSON: --key '["a","b"]'`,
      })
    }
    return parts.map((part, at) => written('--key', part, columns[at]))
  })
}

/** @throws SluiceError BAD_FLAG */
export async function compareScope(
  options: Exclude<ScopeOptions, { by: 'key' }>,
  table: FollowTable,
  sides: {
    readonly from: CopyStore
    readonly to: CopyStore
    readonly view: SourceView
    readonly target: SourceView
    readonly signal: AbortSignal
  },
): Promise<CompareScope> {
  const { view, target, signal } = sides
  const keyed = byIdentity(table)
  if (options.by === 'range') {
    if (!keyed.sortsAlike) {
      throw new SluiceError('BAD_FLAG', `a range of ${table.name} selects different rows in source and target`, {
        reason: 'source and target sort its key differently',
        hint: 'name rows with --key, or compare all of them with sluice follow STREAM --until-equal',
      })
    }
    const [column] = identityColumns(table)
    const [first = '', copy = ''] = [table.source.identity[0], table.target.identity[0]]
    const plan: TablePlan = { ...keyed, source: { ...keyed.source, key: [first] }, rangeKey: [copy] }
    const [low, high] = [written('--range', options.low, column), written('--range', options.high, column)]
    // Only the systems can compare two keys. If the range (high, low] holds rows, the bounds are in the wrong order.
    const turned: Range = { by: 'key', after: [high], through: [low] }
    const isTurned =
      (column?.type.kind === 'int' && BigInt(low) > BigInt(high)) ||
      (await view.last(plan.source, turned, null, signal)) !== null ||
      (await target.last(keyedTargetTable(plan), turned, null, signal)) !== null
    if (isTurned) {
      throw new SluiceError('BAD_FLAG', `--range ${low}..${high} is empty`, {
        hint: 'give the smaller value first, in the order of the source',
      })
    }
    return { plan, pieces: inclusive(plan, low, high, view, signal), where: { source: null, target: null } }
  }
  const where = await partitionWhere(options.name, table, sides)
  const pieces = keyed.sortsAlike
    ? view.cut(keyed.source, EVERY_KEY, where.source, PIECE_ROWS, signal)
    : (async function* () {
        yield EVERY_KEY
      })()
  return { plan: keyed, pieces, where }
}

/**
 * Divides a range into pieces; both bounds belong to the range. A `Range` excludes its lower bound, so the rows with
 * that key are the first piece.
 */
async function* inclusive(
  { source }: TablePlan,
  low: string,
  high: string,
  view: SourceView,
  signal: AbortSignal,
): AsyncGenerator<Range> {
  yield { by: 'keys', keys: [[low]] }
  if (low !== high) yield* view.cut(source, { by: 'key', after: [low], through: [high] }, null, PIECE_ROWS, signal)
}

/** Parses a JSON list, or texts separated by commas. */
function partsOf(word: string): readonly string[] {
  if (!word.startsWith('[')) return word.split(',').map((part) => part.trim())
  try {
    return (JSON.parse(word) as readonly unknown[]).map(String)
  } catch {
    return [word]
  }
}

function identityColumns({ source }: FollowTable): readonly (Column & { readonly type: Column['type'] })[] {
  return source.identity.flatMap((name) => {
    const column = source.columns.find((one) => one.name === name)
    return column === undefined ? [] : [{ ...column.column, name, type: column.as }]
  })
}

/** A value in the format of range bounds. */
function written(flag: string, text: string, column: Column | undefined): string {
  if (column === undefined) throw new Error('a followed table has no identity')
  try {
    return keyPart(normalizer(column.type)(text)) ?? ''
  } catch (thrown) {
    throw new SluiceError('BAD_FLAG', `${flag} ${text} is not a value of ${column.name}`, {
      reason: asSluiceError(thrown).message,
    })
  }
}
