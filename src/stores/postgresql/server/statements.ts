/** Decides which statements are prepared on the server. */
import { numberPlaceholders } from './placeholders.ts'

const MOST_NAMES = 200
const MOST_TEXTS = 2000
/**
 * Matches statements that may change the type of a column. All prepared statements are then forgotten, because they
 * keep the parameter types of their creation.
 */
const CHANGES_TYPES = /(?:^|;)\s*(?:ALTER|DROP)\s/i

export type NamedStatement = {
  readonly text: string
  /** Number of parameters. */
  readonly count: number
  /** Name to prepare it under; undefined for a statement that was not repeated yet. */
  readonly name: string | undefined
}

type Known = { readonly text: string; readonly count: number; uses: number; name: string | undefined }

export class PreparedStatements {
  readonly #known = new Map<string, Known>()
  readonly #prepare: boolean
  #names = 0
  #named = 0

  constructor(prepare: boolean) {
    this.#prepare = prepare
  }

  /** @throws Error if the number of parameters differs from the number of placeholders */
  of(sql: string, parameters: number): NamedStatement {
    // A question mark is also an operator of PostgreSQL, so a text without parameters is not changed.
    if (parameters === 0) {
      if (CHANGES_TYPES.test(sql)) this.#forgetAll()
      return { text: sql, count: 0, name: undefined }
    }
    let known = this.#known.get(sql)
    if (known === undefined) {
      known = { ...numberPlaceholders(sql), uses: 0, name: undefined }
      if (this.#known.size < MOST_TEXTS) this.#known.set(sql, known)
    }
    if (known.count !== parameters) {
      throw new Error(
        `the statement has ${known.count} placeholders and got ${parameters} values: ${sql.slice(0, 200)}`,
      )
    }
    known.uses++
    if (this.#prepare && known.name === undefined && known.uses > 1 && this.#named < MOST_NAMES) {
      known.name = `s${++this.#names}`
      this.#named++
    }
    return known
  }

  /** Call if a prepared plan no longer fits its tables: the statement gets a new name when it is repeated. */
  forget(sql: string): void {
    const known = this.#known.get(sql)
    if (known?.name === undefined) return
    known.name = undefined
    known.uses = 0
    this.#named--
  }

  #forgetAll(): void {
    for (const known of this.#known.values()) {
      known.name = undefined
      known.uses = 0
    }
    this.#named = 0
  }
}
