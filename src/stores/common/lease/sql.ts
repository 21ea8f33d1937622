/** A lease in SQL: parts for SET and WHERE with their parameters, by the clock of the database. */
import type { Owner } from '../../../shared/owner.ts'
import { ledgerDialect } from '../../ledger-dialect.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { SqlDialect } from '../../../model/run/sql-port.ts'
import { ownerColumns, ownerValues, type LeaseColumns } from './columns.ts'

/** The current time, and the end of a lease that begins now. */
type Times = { readonly now: Statement; readonly end: Statement }

/** Times that the database reads when the statement runs. @param leaseMs how long a silent owner keeps the lease */
export function databaseTimes(dialect: SqlDialect, leaseMs: number): Times {
  const { now } = ledgerDialect(dialect)
  return { now: { sql: now, parameters: [] }, end: { sql: `${now} + ?`, parameters: [leaseMs] } }
}

/** Times from the database's clock, which the caller has just read. @param nowMs ms since the epoch */
export function timesAt(nowMs: number, leaseMs: number): Times {
  return { now: { sql: '?', parameters: [nowMs] }, end: { sql: '?', parameters: [nowMs + leaseMs] } }
}

export class LeaseSql {
  readonly #columns: LeaseColumns
  readonly #times: Times

  constructor(columns: LeaseColumns, times: Times) {
    this.#columns = columns
    this.#times = times
  }

  /** For SET: this owner takes the lease. */
  taken(owner: Owner): Statement {
    const { end } = this.#times
    const names = ownerColumns(this.#columns).map((name) => `${name} = ?`)
    return {
      sql: `${names.join(', ')}, ${this.#columns.until} = ${end.sql}`,
      parameters: [...ownerValues(owner), ...end.parameters],
    }
  }

  /**
   * For WHERE: the row has no owner, this owner, an expired lease, or an owner that has ended.
   * @param ended id of an ended owner, see `endedOwnerId`
   */
  free(owner: Owner, ended: string | null): Statement {
    const { owner: name, until } = this.#columns
    const { now } = this.#times
    return {
      sql: `(${name} IS NULL OR ${name} = ? OR ${name} = ? OR COALESCE(${until}, 0) < ${now.sql})`,
      parameters: [owner.id, ended ?? owner.id, ...now.parameters],
    }
  }

  /** For WHERE: the row has an owner with a valid lease. */
  get held(): Statement {
    const { owner, until } = this.#columns
    const { now } = this.#times
    return { sql: `${owner} IS NOT NULL AND COALESCE(${until}, 0) >= ${now.sql}`, parameters: now.parameters }
  }

  /** For SET: the owner extends its lease. */
  get renewed(): Statement {
    const { end } = this.#times
    return { sql: `${this.#columns.until} = ${end.sql}`, parameters: end.parameters }
  }

  /** For SET: removes the owner. */
  get released(): string {
    return `${this.#columns.owner} = NULL, ${this.#columns.until} = 0`
  }
}
