/**
 * Settings that a user changes while a copy runs, from the screen or over the control socket. The latest request
 * applies. Workers check them before they claim a chunk, and while they have one.
 */
import { SluiceError } from '../../../shared/errors.ts'
import type { HeldState } from '../../../model/run/table-request.ts'
import type { RunControl, TableSteering, SteeringRequest } from '../../run/operation.ts'

export type { HeldState } from '../../../model/run/table-request.ts'

/** A chunk that a worker is copying. */
export type ClaimedChunk = {
  /** Aborted when the chunk must be released. */
  readonly given: AbortSignal
  /** Aborted when the next attempt of the chunk must not wait any longer. */
  readonly wake: AbortSignal
}

type ChunkControls = { readonly given: AbortController; readonly wake: AbortController }

export class Steering {
  /** Tables of this run by source name; requests for other tables are refused. */
  tables: readonly string[] = []
  /** Called for every applied request, with the table's full name. */
  onOptions: (request: SteeringRequest) => void = () => undefined
  /** Error for a request of any kind that cannot be applied now; null if it can be applied. @throws nothing */
  refusal: (request: SteeringRequest) => SluiceError | null = ({ act }) =>
    act === 'lanes'
      ? new SluiceError('BAD_FLAG', 'this run does not replicate changes and has no apply workers', {
          hint: 'workers N sets how many chunks are copied at once',
        })
      : null
  readonly #control: RunControl | undefined
  readonly #requestedWorkers: number
  #workers: number | null = null
  #applyWorkers: number | null = null
  #rate: number | null
  #runState = false
  readonly #tables = new Map<string, HeldState>()
  readonly #chunks = new Map<string, Map<string, HeldState>>()
  readonly #last = new Map<string, bigint>()
  readonly #claimed = new Map<string, ChunkControls>()
  #retries: TableSteering[] = []
  readonly #stop = new AbortController()
  /** Aborted when no further chunk may begin. */
  readonly stop: AbortSignal

  /** @param asked workers on the command line @param rate rows per second, or null */
  constructor(asked: number, rate: number | null, control: RunControl | undefined, stop: AbortSignal) {
    this.#requestedWorkers = asked
    this.#rate = rate
    this.#control = control?.onRequest === undefined ? control : undefined
    this.stop = AbortSignal.any([stop, this.#stop.signal])
  }

  get isPaused(): boolean {
    return this.#runState || this.#control?.paused === true
  }

  get workersNow(): number {
    return this.#control?.lanes ?? this.#workers ?? this.#requestedWorkers
  }

  get rateNow(): number | null {
    return this.#rate
  }

  /** Requested number of apply workers; null if none was requested. */
  get applyWorkersNow(): number | null {
    return this.#applyWorkers
  }

  /** State of the whole table; null if it is not paused or skipped. */
  table(name: string): HeldState | null {
    return this.#tables.get(name) ?? null
  }

  /** Numbers of a table's chunks that are paused or skipped one by one. */
  chunks(table: string, why: HeldState): readonly string[] {
    return [...(this.#chunks.get(table) ?? [])].flatMap(([no, held]) => (held === why ? [no] : []))
  }

  /** True if any part of the table is left to a later run. */
  leavesOut(table: string): boolean {
    return this.table(table) === 'skipped' || this.chunks(table, 'skipped').length > 0
  }

  /**
   * The request with the full name of its table, if it can be applied.
   * @throws SluiceError BAD_FLAG for a table that the run does not copy, or a chunk that it does not have
   */
  checked(request: SteeringRequest): SteeringRequest {
    const refused = this.refusal(request)
    if (refused !== null) throw refused
    if (!('table' in request)) return request
    const table = this.#tableOf(request.table)
    const last = this.#last.get(table)
    if (last !== undefined && request.chunk !== undefined && BigInt(request.chunk) > last) {
      throw new SluiceError('BAD_FLAG', `${table} has no chunk ${request.chunk}`, { hint: `its last chunk is ${last}` })
    }
    return { ...request, table }
  }

  /** True if the request is about a table of a distributed run that only other processes copy. */
  isForOthers(request: SteeringRequest): boolean {
    if (!('table' in request) || request.shared !== true || this.refusal(request) !== null) return false
    return !this.tables.some((table) => isNamed(table, request.table))
  }

  /** @throws SluiceError as `checked` */
  honour(request: SteeringRequest): void {
    const known = this.checked(request)
    switch (known.act) {
      case 'hold':
        this.#runState = known.held
        break
      case 'stop':
        this.#stop.abort(new SluiceError('STOPPED', 'stopped on request'))
        break
      case 'workers':
        this.#workers = known.workers
        break
      case 'lanes':
        this.#applyWorkers = known.lanes
        break
      case 'rate':
        this.#rate = known.rate
        break
      default:
        this.#steer(known)
    }
    this.onOptions(known)
  }

  /** Call when the chunks of a table are known. @param no largest chunk number */
  noteLastChunk(table: string, no: bigint): void {
    this.#last.set(table, no)
  }

  /** Requests to retry that are still open; each is returned once. */
  takeRetries(table: string): readonly TableSteering[] {
    const mine = this.#retries.filter((options) => options.table === table)
    if (mine.length > 0) this.#retries = this.#retries.filter((options) => options.table !== table)
    return mine
  }

  /** Call when a worker takes a chunk, and `unregister` when the worker has finished. */
  register(table: string, chunk: number): ClaimedChunk & { readonly unregister: () => void } {
    const controls = { given: new AbortController(), wake: new AbortController() }
    const key = chunkKey(table, String(chunk))
    this.#claimed.set(key, controls)
    return {
      given: controls.given.signal,
      wake: controls.wake.signal,
      unregister: () => void this.#claimed.delete(key),
    }
  }

  /** State for the control socket. */
  state(): Readonly<Record<string, unknown>> {
    const which = (why: HeldState): readonly string[] => [
      ...[...this.#tables].flatMap(([table, held]) => (held === why ? [table] : [])),
      ...[...this.#chunks.keys()].flatMap((table) => this.chunks(table, why).map((no) => `${table}#${no}`)),
    ]
    return {
      // Apply workers are set only in a run with a stream, which has no other workers.
      ...(this.#applyWorkers === null ? { workers: this.workersNow } : { lanes: this.#applyWorkers }),
      rate: this.rateNow,
      paused: this.isPaused,
      pausedTables: which('paused'),
      skippedTables: which('skipped'),
      stopping: this.stop.aborted,
    }
  }

  #steer(options: TableSteering): void {
    const { act, table, chunk } = options
    if (act === 'pause' || act === 'skip') {
      const why = act === 'pause' ? 'paused' : 'skipped'
      if (chunk === undefined) this.#tables.set(table, why)
      else {
        const chunks = this.#chunks.get(table) ?? new Map<string, HeldState>()
        this.#chunks.set(table, chunks.set(chunk, why))
        // A paused chunk would keep its transaction and locks open, so it is released and copied again later.
        this.#claimed
          .get(chunkKey(table, chunk))
          ?.given.abort(new SluiceError('STOPPED', 'the chunk was paused or skipped'))
      }
      return
    }
    if (chunk === undefined) {
      this.#tables.delete(table)
      // Chunks that were skipped one by one stay skipped, until a request names the chunk.
      for (const no of this.chunks(table, 'paused')) this.#chunks.get(table)?.delete(no)
    } else this.#chunks.get(table)?.delete(chunk)
    if (act === 'resume') return
    this.#retries.push(options)
    for (const [key, { wake }] of this.#claimed) {
      if (chunk === undefined ? key.startsWith(chunkKey(table, '')) : key === chunkKey(table, chunk)) wake.abort()
    }
  }

  /** Table of a request, by its full name, or by the last part of the name if only one table has it. */
  #tableOf(name: string): string {
    if (this.tables.includes(name)) return name
    const [one, ...more] = this.tables.filter((table) => isNamed(table, name))
    if (one !== undefined && more.length === 0) return one
    const what = one === undefined ? `this run has no table ${name}` : `several tables of this run are called ${name}`
    const shown = this.tables.slice(0, 8).join(', ')
    throw new SluiceError('BAD_FLAG', what, {
      hint:
        this.tables.length === 0
          ? 'wait until the run has planned its tables'
          : `its tables are ${shown}${this.tables.length > 8 ? ' …' : ''}`,
    })
  }
}

/** True if `name` is the table's full name or its last part. */
const isNamed = (table: string, name: string): boolean => table === name || table.endsWith(`.${name}`)
/** No table name contains U+0000. */
const chunkKey = (table: string, chunk: string): string => `${table}\u0000${chunk}`
