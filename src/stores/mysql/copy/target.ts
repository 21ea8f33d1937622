/** A MySQL or MariaDB database as the target of a copy. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import { Pool } from '../../common/pool.ts'
import { removeMysqlRows } from '../archive/remove.ts'
import type { MysqlConfig } from '../config.ts'
import { mysqlErrorNumber } from '../errors.ts'
import { refuseCascadingDelete } from '../cascades.ts'
import type { MysqlSession } from '../session.ts'
import { createMysqlTable } from './ddl.ts'
import { mysqlTargetError } from './errors.ts'
import { mysqlTableSql } from './names.ts'
import { openCopySession } from './sessions.ts'
import { refuseUnfitEngine, mysqlTableShape, type MysqlTableShape } from './shape.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { nextNumber } from './dependencies.ts'
import { openMysqlWriter } from './writer.ts'

/** Maximum number of connections that stay open between chunks. */
const IDLE = 8
/** Error number: TRUNCATE of a table to which foreign keys refer. */
const REFERRED_TO = 1701

export class MysqlTarget implements CopyTarget, AsyncDisposable {
  readonly #config: MysqlConfig
  readonly #pool: Pool<MysqlSession>
  /** Read once per table: it is not altered while a copy fills it. */
  readonly #shapes = new Map<string, Promise<MysqlTableShape>>()

  constructor(config: MysqlConfig) {
    this.#config = config
    this.#pool = new Pool(() => openCopySession(config, 'write'), { most: Infinity, idle: IDLE }, config.label)
  }

  async create(table: TableSpec, signal: AbortSignal): Promise<void> {
    await this.#command(table, signal, (session) => session.command(createMysqlTable(table, session.facts)))
  }

  async clear(table: TableSpec, signal: AbortSignal): Promise<void> {
    await this.#command(table, signal, async (session) => {
      try {
        await session.command(`TRUNCATE TABLE ${mysqlTableSql(table.table)}`)
      } catch (error) {
        if (mysqlErrorNumber(error) !== REFERRED_TO) throw error
        await refuseCascadingDelete(session, {
          table: table.table,
          refused: 'hidden',
          remedy: 'drop these foreign keys first',
        })
        await session.command(`DELETE FROM ${mysqlTableSql(table.table)}`)
        await session.command('COMMIT')
      }
    })
  }

  /** Raises AUTO_INCREMENT further than the rows did, if the source's next number is higher. @returns notes */
  async finish(
    table: TableSpec,
    signal: AbortSignal,
    sequences: readonly ColumnSequence[] = [],
  ): Promise<readonly string[]> {
    const notes: string[] = []
    await this.#command(table, signal, async (session) => {
      for (const sequence of sequences) notes.push(...(await moveNumber(session, table, sequence)))
      await session.command(`ANALYZE TABLE ${mysqlTableSql(table.table)}`)
    })
    return notes
  }

  /** @throws SluiceError TABLE_REFUSED for a table without transactions, CONNECT_FAILED, … */
  async open(request: ChunkRequest): Promise<ChunkWriter> {
    throwIfAborted(request.signal)
    const shape = await this.#shape(request.table)
    refuseUnfitEngine(request, shape)
    const session = await this.#pool.take()
    return await openMysqlWriter({ config: this.#config, pool: this.#pool, request, shape }, session)
  }

  async remove(request: RemoveRequest): Promise<StepEnd> {
    throwIfAborted(request.signal)
    // Foreign keys may have been added since a copy read the shape.
    this.#shapes.delete(mysqlTableSql(request.table.table))
    const shape = await this.#shape(request.table)
    return await this.#pool.use((session) => removeMysqlRows(this.#config, session, request, shape))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.close()
  }

  #shape(table: TableSpec): Promise<MysqlTableShape> {
    const name = mysqlTableSql(table.table)
    const known = this.#shapes.get(name)
    if (known !== undefined) return known
    const shape = this.#pool.use(async (session) => {
      const found = await mysqlTableShape(session, table)
      await session.command('COMMIT')
      return found
    })
    this.#shapes.set(name, shape)
    shape.catch(() => this.#shapes.delete(name))
    return shape
  }

  /** DDL commits by itself, so it never runs on the session of a chunk. */
  async #command(
    table: TableSpec,
    signal: AbortSignal,
    body: (session: MysqlSession) => Promise<unknown>,
  ): Promise<void> {
    throwIfAborted(signal)
    this.#shapes.delete(mysqlTableSql(table.table))
    try {
      await this.#pool.use(body)
    } catch (error) {
      const named = mysqlTargetError(error, `${this.#config.label}: ${tableText(table.table)}`)
      // These statements have no row to refuse.
      if (!(named instanceof SluiceError) || named.code !== 'ROW_REFUSED') throw named
      throw new SluiceError('TABLE_REFUSED', named.message, { where: named.where ?? '', cause: error })
    }
  }
}

/** Raises AUTO_INCREMENT to the source's position, never lowers it. @returns notes about what could not be done */
async function moveNumber(
  session: MysqlSession,
  { table, columns }: TableSpec,
  { column, next, options }: ColumnSequence,
): Promise<readonly string[]> {
  if (next === null) return []
  if (options !== undefined && options.increment < 0n) {
    return [`${column} counts down in the source, where ${next} is next; the target counts up`]
  }
  const own = columns.find(({ name }) => name === column)
  const there = own?.identity === true ? await nextNumber(session, table) : null
  if (there === null) return [`${column} has no AUTO_INCREMENT in the target: the next number of the source is ${next}`]
  if (next > there) await session.command(`ALTER TABLE ${mysqlTableSql(table)} AUTO_INCREMENT = ${next}`)
  return options === undefined || options.increment === 1n
    ? []
    : [`${column} counts by ${options.increment} in the source, and by the setting of the server in the target`]
}
