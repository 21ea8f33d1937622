/** Sends many prepared statements in one round trip; each is parsed once per session. */
import type { Connection, Submittable } from 'pg'

/** A statement that is prepared once per session. Sessions identify it by this object. */
export type PreparedStatement = {
  readonly text: string
  /** OIDs of the parameter types. */
  readonly types: readonly number[]
}

export type PreparedStep = { readonly statement: PreparedStatement; readonly values: readonly (string | null)[] }

/** Prepared statements of a session, with their names. */
export type PreparedNames = Map<PreparedStatement, string>

/** Methods that the driver has but declares differently. */
type PipelineConnection = Connection & {
  parse(query: { name: string; text: string; types: readonly number[] }): void
  bind(config: { portal: string; statement: string; values: readonly (string | null)[] }): void
  execute(config: { portal: string; rows: number }): void
}

export class Pipeline implements Submittable {
  /**
   * Count of rows that each step changed.
   * @throws the server's error of the first failed step; later steps do not run
   */
  readonly ended: Promise<readonly number[]>
  readonly #steps: readonly PreparedStep[]
  readonly #prepared: PreparedNames
  readonly #counts: number[] = []
  #resolve: (counts: readonly number[]) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined

  /** @param prepared receives the statements of the steps */
  constructor(steps: readonly PreparedStep[], prepared: PreparedNames) {
    this.#steps = steps
    this.#prepared = prepared
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.ended.catch(() => undefined)
  }

  submit(connection: Connection): void {
    const to = connection as PipelineConnection
    to.stream.cork()
    for (const { statement, values } of this.#steps) {
      let name = this.#prepared.get(statement)
      if (name === undefined) {
        name = `sluice_${this.#prepared.size}`
        this.#prepared.set(statement, name)
        to.parse({ name, ...statement })
      }
      to.bind({ portal: '', statement: name, values })
      to.execute({ portal: '', rows: 0 })
    }
    to.sync()
    to.stream.uncork()
  }

  handleDataRow(): void {
    // Rows are counted, not read.
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#counts.push(Number(/ (\d+)$/.exec(text)?.[1] ?? 0))
  }

  handleReadyForQuery(): void {
    if (this.#counts.length === this.#steps.length) return this.#resolve(this.#counts)
    this.#reject(new Error(`the server answered ${this.#counts.length} of ${this.#steps.length} statements`))
  }

  handleError(error: unknown): void {
    this.#reject(error)
  }
}
