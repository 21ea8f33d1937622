/**
 * A session of a catalog: statements with values, prepared once they are repeated, results by page, and rows that are
 * loaded in COPY's text format, in pieces for a socket.
 */
import Cursor from 'pg-cursor'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { OpenMode, SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { connect, durableSql, type Connected } from './connect.ts'
import { isStalePlan } from './server-errors.ts'
import { WireSession, type PostgresAnswer, type ServerNotice } from './wire-session.ts'
import type { PostgresSettings } from './settings.ts'
import type { PreparedStatements } from './statements.ts'
import { toPostgres, TYPES } from './values.ts'
import { bytesText } from '../../../model/copy/bytes-text.ts'

/** Maximum number of rows of a page in the protocol. */
const MOST_ROWS = 2 ** 31 - 1

/** SQLSTATE of the warning that a GRANT had no effect, or not its full effect, because the login lacks the right. */
const NOT_GRANTED = '01007'

let cursors = 0

/**
 * Makes the commit of a script wait for the disk: a program uses the created tables for hours, and a crash must not
 * undo them.
 */
const DURABLE = durableSql('transaction')
/** Turns warnings on, because a role may have them off. */
const WARNINGS_ON = 'SET LOCAL client_min_messages TO warning'

export class SqlSession extends WireSession {
  readonly #statements: PreparedStatements
  #failure: unknown = null

  /** @throws SluiceError as `connect` does */
  static async open(settings: PostgresSettings, mode: OpenMode, statements: PreparedStatements): Promise<SqlSession> {
    return new SqlSession(settings, await connect(settings, mode), statements)
  }

  private constructor(settings: PostgresSettings, connected: Connected, statements: PreparedStatements) {
    super(settings, connected)
    this.#statements = statements
  }

  /** Error of the first failed statement since `begin`; null if none failed. */
  get failure(): unknown {
    return this.#failure
  }

  /** Error of the first failed statement; without one, the error of the lost connection. */
  override loss(): unknown {
    return (this.#failure ??= super.loss())
  }

  override async begin(kind: string): Promise<void> {
    this.#failure = null
    await super.begin(kind)
  }

  async all(sql: string, parameters: SqlRow): Promise<readonly SqlRow[]> {
    return (await this.#statement(sql, parameters)).rows
  }

  async run(sql: string, parameters: SqlRow): Promise<number> {
    return (await this.#statement(sql, parameters)).rowCount ?? 0
  }

  /** @throws SluiceError TARGET_DENIED, also if the server only warns that a right was not granted */
  async script(sql: string): Promise<void> {
    const withheld: string[] = []
    const heard = ({ code, message }: ServerNotice): void => {
      if (code === NOT_GRANTED) withheld.push(message ?? code)
    }
    this.client.on('notice', heard)
    try {
      await this.command(`${DURABLE};\n${WARNINGS_ON};\n${this.#statements.of(sql, 0).text}`)
    } finally {
      this.client.off('notice', heard)
    }
    if (withheld.length === 0) return
    throw (this.#failure ??= new SluiceError('TARGET_DENIED', 'a right was not granted', {
      where: this.settings.label,
      reason: withheld.join('; '),
    }))
  }

  /** Yields pages of rows, fast; needs a transaction. Until it ends, other statements of the session wait. */
  async *walk(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const { text } = this.#statements.of(sql, parameters.length)
    const cursor = new Cursor<SqlRow>(text, toPostgres(parameters), { rowMode: 'array', types: TYPES })
    let ended = false
    try {
      this.client.query(cursor)
      while (!ended) {
        const rows = await this.watched(() => cursor.read(Math.min(pageRows, MOST_ROWS)))
        ended = rows.length < pageRows
        if (rows.length > 0) yield rows
      }
    } finally {
      // A failed cursor is already closed; on a broken connection, closing would wait forever.
      if (this.alive && this.#failure === null) {
        await this.watched(() => this.#closed(cursor))
      }
    }
  }

  /**
   * Yields pages of rows; needs a transaction. Other statements can run between pages. Takes 50 % longer than `walk`:
   * the server collects a page before it sends it.
   */
  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const name = quotedName(`sluice_${++cursors}`)
    const { text } = this.#statements.of(sql, parameters.length)
    await this.answer({ text: `DECLARE ${name} NO SCROLL CURSOR FOR ${text}`, values: toPostgres(parameters) })
    let ended = false
    try {
      while (!ended) {
        const { rows } = await this.answer<SqlRow>({ text: `FETCH ${Math.min(pageRows, MOST_ROWS)} FROM ${name}` })
        ended = rows.length < pageRows
        if (rows.length > 0) yield rows
      }
    } finally {
      // After a failure the transaction is over, and its cursors are closed.
      if (this.alive && this.#failure === null) await this.command(`CLOSE ${name}`)
    }
  }

  async load(table: string, columns: readonly string[], rows: readonly SqlRow[]): Promise<void> {
    if (rows.length === 0) return
    refuseNulCharacters(table, columns, rows)
    const text = `COPY ${quotedName(table)} (${columns.map(quotedName).join(',')}) FROM STDIN`
    const loaded = await this.copyIn(text, copyText(rows))
    if (loaded !== BigInt(rows.length)) {
      throw new SluiceError('INTERNAL', `PostgreSQL stored ${loaded} of ${rows.length} rows`)
    }
  }

  protected override named(error: unknown): unknown {
    const known = super.named(error)
    this.#failure ??= known
    return known
  }

  #closed(cursor: Cursor<SqlRow>): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.client.off('end', done)
        resolve()
      }
      this.client.once('end', done)
      cursor.close(done)
    })
  }

  async #statement(sql: string, parameters: SqlRow): Promise<PostgresAnswer<SqlRow>> {
    const { text, name } = this.#statements.of(sql, parameters.length)
    try {
      return await this.answer({
        text,
        values: toPostgres(parameters),
        ...(name === undefined || this.isPooled ? {} : { name }),
      })
    } catch (error) {
      if (isStalePlan(error)) this.#statements.forget(sql)
      throw error
    }
  }
}

/** Characters of a piece. Larger pieces are not faster, and smaller ones need more system calls. */
const PIECE = 128 * 1024
const SPECIAL = /[\\\t\n\r]/
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

/** @throws SluiceError VALUE_REFUSED if a text contains U+0000, which PostgreSQL cannot store */
function refuseNulCharacters(table: string, columns: readonly string[], rows: readonly SqlRow[]): void {
  for (let r = 0; r < rows.length; r++) {
    const row = rows[r] as SqlRow
    for (let c = 0; c < row.length; c++) {
      const value = row[c]
      if (typeof value !== 'string' || !value.includes('\0')) continue
      throw new SluiceError('VALUE_REFUSED', `column ${columns[c]} of ${table} cannot store the character U+0000`, {
        where: `row ${r + 1} of the batch`,
        reason: 'PostgreSQL cannot store NUL characters in texts',
        hint: 'correct the value in the source, or use a catalog in SQLite',
      })
    }
  }
}

function* copyText(rows: readonly SqlRow[]): Generator<Buffer> {
  let text = ''
  for (const row of rows) {
    for (let c = 0; c < row.length; c++) text += c === 0 ? field(row[c] as SqlValue) : `\t${field(row[c] as SqlValue)}`
    text += '\n'
    if (text.length >= PIECE) {
      yield Buffer.from(text, 'utf8')
      text = ''
    }
  }
  if (text !== '') yield Buffer.from(text, 'utf8')
}

function field(value: SqlValue): string {
  if (value === null) return '\\N'
  if (typeof value === 'string') {
    return SPECIAL.test(value) ? value.replaceAll(/[\\\t\n\r]/g, (char) => ESCAPES[char] ?? char) : value
  }
  if (typeof value === 'object') return `\\${bytesText(value)}`
  return String(value)
}
