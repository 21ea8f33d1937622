/**
 * `stuck`: a started chunk makes no progress, despite retries. The alert ends with progress of the chunk, the end of
 * its table, or the regular end of the run.
 */
import { groupBy } from '../../../shared/group-by.ts'
import { tookText } from '../../../shared/figures.ts'
import type { CauseWatch, CauseVerdict } from './cause.ts'
import { OpenChunks, type ChunkMove, type OpenChunk } from './standing-chunks.ts'

const MINUTE_MS = 60_000
/** Limit of chunks named in an alert; the others are counted. */
const NAMED = 20

/**
 * An active alert of a table.
 * @property named chunks without progress when the alert began
 * @property stalled chunks without progress now, including those that were added after the alert began
 * @property moves changes of the chunks that were removed from `stalled`
 */
type ActiveAlert = {
  readonly named: readonly string[]
  readonly standing: Set<string>
  readonly moves: Set<ChunkMove['is']>
}

/** @param limit ms */
export function stuck(limit: number): CauseWatch {
  const chunks = new OpenChunks()
  const raised = new Map<string, ActiveAlert>()
  const over = (table: string, value: string): CauseVerdict => {
    raised.delete(table)
    return { cause: 'stuck', table, holds: false, value, limit: alertDurationText(limit) }
  }
  return {
    take: (event, at) => {
      const move = chunks.take(event, at)
      if (move !== null && move.is !== 'let go') {
        const alert = raised.get(move.table)
        if (alert?.standing.delete(move.chunk) !== true) return []
        alert.moves.add(move.is)
        return alert.standing.size > 0 ? [] : [over(move.table, movedText(alert.named, alert.moves))]
      }
      // A failed chunk made no progress: the alert stays until a later run or another host copies the chunk.
      if (event.type === 'table.finished' && event.error === undefined && event.status !== 'stopped')
        return [over(event.table, 'the table is finished')]
      if (event.type === 'run.finished' && (event.status === 'ok' || event.status === 'stopped'))
        return [...raised.keys()].map((table) => over(table, 'the run has ended'))
      return []
    },
    poll: (at) => {
      return [...byTable(chunks.stalled(at, limit))].flatMap(([table, all]) => {
        const known = raised.get(table)
        for (const { chunk } of all) known?.standing.add(chunk)
        if (known !== undefined) return []
        const named = all.map(({ chunk }) => chunk)
        raised.set(table, { named, standing: new Set(named), moves: new Set() })
        const stood = all.map((one) => ({ ...one, stoodMs: at - one.since }))
        const stoodMs = Math.max(...stood.map((one) => one.stoodMs))
        return [
          { cause: 'stuck', table, holds: true, value: stuckText(stood), limit: alertDurationText(limit), stoodMs },
        ]
      })
    },
  }
}

/** Chunks by table, in the order of each table's first chunk. */
export function byTable<C extends { readonly table: string }>(chunks: readonly C[]): ReadonlyMap<string, readonly C[]> {
  return groupBy(chunks, ({ table }) => table)
}

/** Text such as `chunk 5` or `chunks 5, 6`. */
export function chunksText(chunks: readonly { readonly chunk: string }[]): string {
  const named = chunks.slice(0, NAMED).map(({ chunk }) => chunk)
  const more = chunks.length - named.length
  return `${chunks.length === 1 ? 'chunk' : 'chunks'} ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Text for the end of an alert: its chunks, and their changes. @param moves changes of its chunks */
export function movedText(named: readonly string[], moves: ReadonlySet<ChunkMove['is']>): string {
  const isOne = named.length === 1
  const [further, done] = [isOne ? 'continues' : 'continue', isOne ? 'is done' : 'are done']
  const how = moves.size > 1 ? `${further} or ${done}` : moves.has('done') ? done : further
  return `${chunksText(named.map((chunk) => ({ chunk })))} ${how}`
}

/** @param chunks at least one chunk; all of one table, each with its time without progress */
export function stuckText(
  chunks: readonly (Pick<OpenChunk, 'chunk'> &
    Partial<Pick<OpenChunk, 'step' | 'attempts' | 'why'>> & { readonly stoodMs: number })[],
): string {
  const first = chunks.reduce((one, other) => (other.stoodMs > one.stoodMs ? other : one))
  const { step = '', attempts = 0, why = '', stoodMs } = first
  const what = step === '' ? '' : ` while ${step}`
  const tries = attempts === 0 ? '' : `, tried ${attempts + 1} times`
  const verb = chunks.length === 1 ? 'makes' : 'make'
  return `${chunksText(chunks)} ${verb} no progress for ${alertDurationText(stoodMs)}${what}${tries}${why}`
}

/** Text such as `45.0 s` or `12 min`: longer times are in minutes. */
export function alertDurationText(ms: number): string {
  return ms < 2 * MINUTE_MS ? tookText(ms) : `${Math.floor(ms / MINUTE_MS)} min`
}
