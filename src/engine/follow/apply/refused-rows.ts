/**
 * Removes rows that the target refuses from a batch; these rows are read from the source again later. The log keeps the
 * refused value even after the source row is corrected: a stream that cannot skip it would fail on that row forever.
 */
import type { CellBatch, ChangeBatch, Put } from '../../../model/copy/change.ts'
import { rowKeyOf, rowKeyText } from '../../../model/copy/row-key.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { unpackBatch } from '../../../model/copy/unpacked.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellNames } from '../../../shared/shell.ts'
import type { ChangeWriter } from '../../../model/follow/port.ts'
import { failureKind } from '../../copy/workers/failure.ts'

/**
 * Maximum number of refused rows of a batch, and of attempts to find them: if more are refused, the table is the cause.
 */
const MOST_REFUSED = 10
const MOST_TRIES = 200

/** @property lacking keys of rows whose values must be read from the source */
export type TableBatch = { readonly at: number; readonly batch: ChangeBatch; readonly lacking: readonly Row[] }

/**
 * @property batch that was written
 * @property unwritten number of changes that were not written: they omit unchanged values, and the target has no row
 * that contains these
 * @property refused keys of rows that the target refuses
 */
export type AppliedBatch = TableBatch & { readonly unwritten: number; readonly refused: readonly Row[] }

export type ApplyContext = {
  readonly writer: Pick<ChangeWriter, 'apply' | 'rollBack'>
  /** Name of a table, by its number in the stream. */
  readonly name: (at: number) => string
  /**
   * True if a rollback of the transaction loses no other work. If false, a refused row ends the stream.
   */
  readonly mayRollBack: boolean
}

/**
 * Writes batches within the open transaction of the target.
 * @throws SluiceError ROW_REFUSED if the refused rows are too many or cannot be found, and errors of the writer
 */
export async function applyBatches(
  batches: readonly TableBatch[],
  applyContext: ApplyContext,
): Promise<readonly AppliedBatch[]> {
  const refused = new Map<number, readonly Row[]>()
  const left = [...batches]
  for (;;) {
    const applied: AppliedBatch[] = []
    try {
      for (const { at, batch, lacking } of left) {
        const more = await applyContext.writer.apply(at, batch)
        const unwritten = more.lacking.length
        applied.push({ at, batch, unwritten, lacking: [...lacking, ...more.lacking], refused: refused.get(at) ?? [] })
      }
      return applied
    } catch (thrown) {
      const place = applied.length
      const failed = left[place]
      const error = refusal(thrown)
      if (error === null || failed === undefined) throw thrown
      const found =
        applyContext.mayRollBack && !refused.has(failed.at) ? await withoutRefused(failed, applyContext) : null
      if (found === null) {
        const name = applyContext.name(failed.at)
        // The log keeps the old values, so only a resync helps.
        throw withHint(
          await withTableAndKey(failed, error, applyContext),
          `then run the same command with --resync ${shellNames([name])}`,
        )
      }
      refused.set(failed.at, found.refused)
      left[place] = { ...failed, batch: found.batch }
    }
  }
}

/**
 * Adds the table, the key and a hint to the error of a refused row that was just read from the source; other errors are
 * unchanged. The open transaction of the target may be rolled back.
 */
export async function refusedNow(thrown: unknown, batch: Refused, naming: Naming): Promise<unknown> {
  const error = refusal(thrown)
  return error === null
    ? thrown
    : withHint(await withTableAndKey(batch, error, naming), 'then run the same command again')
}

type Refused = Pick<TableBatch, 'at' | 'batch'>
type Naming = Pick<ApplyContext, 'writer' | 'name'>

/**
 * The error with the table, and with the key if a single row of the batch is the cause: servers name only the
 * constraint.
 */
async function withTableAndKey(refused: Refused, error: SluiceError, { writer, name }: Naming): Promise<SluiceError> {
  if (/, row \(/.test(error.message)) return error
  // If the search fails, the refusal itself is still the cause.
  const found = await refusedRow(refused, writer).catch(() => null)
  const table = name(refused.at)
  const key = found === null ? '' : `, row (${rowKeyText(rowKeyOf(found.key, [...found.key.keys()]))})`
  return withText(error, { message: `${table}${key}: ${error.message}` })
}

/**
 * A row of the batch that the target refuses also without the other rows, found by bisection; null if there is none.
 * Rolls back first.
 */
async function refusedRow({ at, batch }: Refused, writer: ApplyContext['writer']): Promise<Put | null> {
  const { puts, gone } = unpackBatch(batch)
  if (puts.length === 1) return puts[0] ?? null
  await writer.rollBack()
  let some: readonly Put[] = puts
  const isTakenOf = (tried: readonly Put[]): Promise<boolean> =>
    isTaken(() => writer.apply(at, { puts: tried, gone }), writer)
  while (some.length > 1) {
    const half = some.slice(0, some.length >> 1)
    some = (await isTakenOf(half)) ? some.slice(half.length) : half
  }
  const [only] = some
  return only === undefined || (await isTakenOf([only])) ? null : only
}

/** The error if it refuses a row; null if it is not about a row, or if a retry may repair it. */
function refusal(thrown: unknown): SluiceError | null {
  const { kind, error } = failureKind(thrown)
  return kind === 'row' && !error.retryable ? error : null
}

function withHint(error: SluiceError, then: string): SluiceError {
  return withText(error, {
    hint: `${error.hint ?? 'correct the row at the source, or alter the table of the target so that it accepts the row'}; ${then}`,
  })
}

function withText(
  { code, message, where, reason, hint, kind, cause }: SluiceError,
  text: { readonly message?: string; readonly hint?: string },
): SluiceError {
  return new SluiceError(code, text.message ?? message, { kind, cause, where, reason, hint: text.hint ?? hint })
}

/**
 * The batch with refused rows deleted instead of written; null if too many are refused, or if no single row is the
 * cause.
 */
async function withoutRefused(
  { at, batch }: TableBatch,
  { writer }: ApplyContext,
): Promise<{ readonly batch: CellBatch; readonly refused: readonly Row[] } | null> {
  const { puts, gone } = unpackBatch(batch)
  const refused = new Set<Put>()
  const without = (left: ReadonlySet<Put>): CellBatch => ({
    puts: puts.filter((put) => !left.has(put)),
    gone: [...gone, ...[...left].map(({ key }) => key)],
  })
  let tries = 0
  const takes = async (some: CellBatch): Promise<boolean> =>
    ++tries <= MOST_TRIES && (await isTaken(() => writer.apply(at, some), writer))
  /** @returns false if the search is given up */
  const search = async (some: readonly Put[]): Promise<boolean> => {
    if (await takes({ puts: some, gone })) return true
    const [only] = some
    if (some.length > 1) return await halves(some)
    // The row may conflict with a unique value of another row of the batch: try the row with all others deleted.
    const others = new Set(puts.filter((put) => put !== only))
    if (only !== undefined && !(await takes(without(others)))) refused.add(only)
    return tries <= MOST_TRIES && refused.size <= MOST_REFUSED
  }
  const halves = async (some: readonly Put[]): Promise<boolean> => {
    const half = some.length >> 1
    return (await search(some.slice(0, half))) && (await search(some.slice(half)))
  }
  await writer.rollBack()
  if (!(await halves(puts)) || refused.size === 0) return null
  return { batch: without(refused), refused: [...refused].map(({ key }) => key) }
}

/** True if the target accepts `body`; it runs in its own transaction, which is rolled back. */
async function isTaken(body: () => Promise<unknown>, writer: ApplyContext['writer']): Promise<boolean> {
  try {
    await body()
    return true
  } catch (thrown) {
    // Treat retryable errors as refusals, too: the only cost is that an acceptable row is read once more.
    if (failureKind(thrown).kind !== 'row') throw thrown
    return false
  } finally {
    await writer.rollBack()
  }
}
