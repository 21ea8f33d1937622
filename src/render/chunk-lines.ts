/**
 * Chunks of a copy as lines: where a copy resumes, and with `--verbose` each finished chunk,
 * as the scripts of the guide print them.
 */
import type { EventOf } from '../model/run/event.ts'
import type { Block, MakeBlock } from './block.ts'
import { durationText, grouped, plural } from '../shared/figures.ts'

const RELEASED: Readonly<Record<EventOf<'chunk.released'>['reason'], string>> = {
  stop: 'the run stops',
  asked: 'returned as requested, and rolled back',
  lease: 'its owner sent no heartbeat for too long',
  ended: 'its program has ended',
  compare: 'its range in the target already has rows, which will be compared with the source',
  left: 'it failed on this worker, and is left to the owner of the stream',
  taken: 'another program has it, or takes it when its lease has expired',
}

type Begun = {
  readonly key: readonly string[]
  readonly low: string | undefined
  readonly high: string | undefined
  /** Number of chunks that were not copied when this run began. */
  readonly open: bigint
  readonly isResumed: boolean
}

export class ChunkLines {
  readonly #verbose: boolean
  readonly #tables = new Map<string, Begun>()
  readonly #done = new Map<string, bigint>()
  readonly #announced = new Set<string>()

  constructor(verbose: boolean) {
    this.#verbose = verbose
  }

  /** Call at the start of a table. If the table is resumed, `started` returns a line at its first chunk. */
  begun({ table, key, low, high, chunks, done }: EventOf<'copy.started'>): void {
    const open = BigInt(chunks) - BigInt(done.chunks)
    this.#tables.set(table, { key, low, high, open, isResumed: done.chunks !== '0' })
    this.#done.delete(table)
    this.#announced.delete(table)
  }

  /** @param subject the table, if there are several @returns a line at the first chunk of a resumed table, else none */
  started(event: EventOf<'chunk.started'>, subject: string, block: MakeBlock): readonly Block[] {
    const { table, chunk } = event
    const begun = this.#tables.get(table)
    if (begun === undefined || !begun.isResumed || this.#announced.has(table)) return []
    this.#announced.add(table)
    const text = `resumes with chunk ${chunk}${rangeText(event, begun)}, ${plural(String(begun.open), 'chunk')} pending`
    return [block('resume', subject + text, { table })]
  }

  done(event: EventOf<'chunk.done'>, subject: string, block: MakeBlock): readonly Block[] {
    const { table, chunk, done, ms, quarantined = '0' } = event
    const begun = this.#tables.get(table)
    if (begun === undefined) return []
    const no = (this.#done.get(table) ?? 0n) + 1n
    this.#done.set(table, no)
    if (!this.#verbose) return []
    // The total grows if chunks were added after the start.
    const all = no > begun.open ? no : begun.open
    const share = `[${grouped(String(no))}/${grouped(String(all))}] ${((Number(no) * 100) / Number(all)).toFixed(1)} %`
    const refused = quarantined === '0' ? '' : `, ${plural(quarantined, 'row')} quarantined`
    const text = `${share}  chunk ${chunk}${rangeText(event, begun)}: ${plural(done, 'row')}${refused} in ${durationText(ms)}`
    return [block('ok', subject + text, { table })]
  }
}

/** ` (id 1 to 50000)`; empty for a chunk that is not a range of one column. */
function rangeText(event: EventOf<'chunk.started'> | EventOf<'chunk.done'>, { key, low, high }: Begun): string {
  const { from, to } = event
  const [column] = key
  if (column === undefined || key.length > 1 || from === undefined || to === undefined) return ''
  const [first, last] = [from?.[0] ?? low, to?.[0] ?? high]
  if (first === undefined || last === undefined) return ''
  // An open chunk without rows begins behind the last key.
  const isBehind = to === null && 'done' in event && event.done === '0'
  return isBehind ? ` (${column} from ${first})` : ` (${column} ${first} to ${last})`
}

/** Text about a released chunk and the reason for its release. @param chunk text that names the chunk */
export function releasedText(chunk: string, reason: EventOf<'chunk.released'>['reason']): string {
  return `${chunk} is ${reason === 'taken' ? 'no longer copied here' : 'free again'}: ${RELEASED[reason]}`
}
