/** Which rows of a followed table somebody names, as each side finds them. */
import type { Column } from '../../../model/copy/column-type.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import { keyPart } from '../../../model/copy/row-key.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, SourceView } from '../../../model/copy/port.ts'
import { targetTable } from '../../copy/table/context.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import { partitionWhere, type SidesWhere } from '../stream/partition-where.ts'
import { byIdentity } from '../compare/rereads.ts'

/** `range`: both ends are in it, by the first column of the key. `partition`: one of the source's table. */
export type ScopeWish =
  | { readonly by: 'key'; readonly keys: readonly string[] }
  | { readonly by: 'range'; readonly low: string; readonly high: string }
  | { readonly by: 'partition'; readonly name: string }

/** Rows that are compared piece by piece. */
export type Scope = {
  /** Its key is what pieces are ranges of. */
  readonly plan: TablePlan
  readonly pieces: AsyncIterable<Range>
  readonly where: SidesWhere
}

/** Rows of a piece: those of one that differs are looked for in the other side one by one. */
const PIECE_ROWS = 20_000

/** Identities as somebody wrote them, one text for each column. @throws SluiceError BAD_FLAG */
export function namedKeys(table: FollowTable, words: readonly string[]): readonly (readonly string[])[] {
  const columns = identityColumns(table)
  return words.map((word) => {
    const parts = columns.length === 1 ? [word] : partsOf(word)
    if (parts.length !== columns.length) {
      throw new SluiceError('BAD_FLAG', `--key ${word} is no key of ${table.name}`, {
        reason: `its rows are named by ${table.source.identity.join(', ')}`,
        hint: `write it like --key ${columns.map(({ name }) => name).join(',')}; where a value has a comma in it, as JSON: --key '["a","b"]'`,
      })
    }
    return parts.map((part, at) => written('--key', part, columns[at]))
  })
}

/** @throws SluiceError BAD_FLAG */
export async function scopeOf(
  wish: Exclude<ScopeWish, { by: 'key' }>,
  table: FollowTable,
  sides: {
    readonly from: CopyStore
    readonly to: CopyStore
    readonly view: SourceView
    readonly target: SourceView
    readonly signal: AbortSignal
  },
): Promise<Scope> {
  const { view, target, signal } = sides
  const keyed = byIdentity(table)
  if (wish.by === 'range') {
    if (!keyed.sortsAlike) {
      throw new SluiceError('BAD_FLAG', `a range of ${table.name} would be other rows on each side`, {
        reason: 'source and target sort its key in different ways',
        hint: 'name rows with --key, or compare all of them with sluice follow STREAM --until-equal',
      })
    }
    const [column] = identityColumns(table)
    const [first = '', copy = ''] = [table.source.identity[0], table.target.identity[0]]
    const plan: TablePlan = { ...keyed, source: { ...keyed.source, key: [first] }, rangeKey: [copy] }
    const [low, high] = [written('--range', wish.low, column), written('--range', wish.high, column)]
    // Which of two keys is the smaller one, only the systems know: rows behind the upper end, up to the lower one, are there in a range of wrong order alone.
    const turned: Range = { by: 'key', after: [high], through: [low] }
    const isTurned =
      (column?.type.kind === 'int' && BigInt(low) > BigInt(high)) ||
      (await view.last(plan.source, turned, null, signal)) !== null ||
      (await target.last(targetTable(plan), turned, null, signal)) !== null
    if (isTurned) {
      throw new SluiceError('BAD_FLAG', `--range ${low}..${high} holds nothing`, {
        hint: 'the smaller end comes first, as the source sorts them',
      })
    }
    return { plan, pieces: inclusive(plan, low, high, view, signal), where: { source: null, target: null } }
  }
  const where = await partitionWhere(wish.name, table, sides)
  const pieces = keyed.sortsAlike
    ? view.cut(keyed.source, EVERY_KEY, where.source, PIECE_ROWS, signal)
    : (async function* () {
        yield EVERY_KEY
      })()
  return { plan: keyed, pieces, where }
}

/** Ranges leave out where they begin: its rows come first. */
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

/** A list in JSON, or texts with commas between. */
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

/** A value as the stores write it in a bound. */
function written(flag: string, text: string, column: Column | undefined): string {
  if (column === undefined) throw new Error('a followed table has no identity')
  try {
    return keyPart(normalizer(column.type)(text)) ?? ''
  } catch (thrown) {
    throw new SluiceError('BAD_FLAG', `${flag} ${text} is no value of ${column.name}`, {
      reason: asSluiceError(thrown).message,
    })
  }
}
