/** Inserts rows; overwrites or keeps those with the same key. Uses a temporary table: COPY has no ON CONFLICT. */
import type { ChunkRequest } from '../../../model/copy/target-port.ts'
import { quoteName } from '../server/connect.ts'
import type { PostgresRelation } from '../server/relation.ts'
import type { CopySession } from '../server/session.ts'
import { columnList, tableFromSql, tableSql } from '../server/sql.ts'

const STAGE = 'pg_temp.sluice_rows'

/** @param periodKey constraint of a key WITHOUT OVERLAPS: ON CONFLICT accepts only its name, and only DO NOTHING */
function keySql(key: readonly string[], periodKey: string | null): string {
  return periodKey === null ? `(${columnList(key)})` : `ON CONSTRAINT ${quoteName(periodKey)}`
}

export class Upsert {
  readonly #session: CopySession
  readonly #create: string
  readonly #copy: string
  readonly #merge: string

  constructor({ table, columns, onExisting }: ChunkRequest, relation: PostgresRelation, session: CopySession) {
    const names = columns.filter(({ column }) => column.generated !== true).map(({ name }) => name)
    const list = columnList(names)
    const changed = names.filter((name) => !table.key.includes(name) && !relation.alwaysNumbered.includes(name))
    const change =
      changed.length === 0 || onExisting === 'append'
        ? 'DO NOTHING'
        : `DO UPDATE SET ${changed.map((name) => `${quoteName(name)} = EXCLUDED.${quoteName(name)}`).join(', ')}`
    this.#session = session
    this.#create = `CREATE TEMPORARY TABLE sluice_rows ON COMMIT DROP AS SELECT ${list} FROM ${tableFromSql(relation)} WITH NO DATA`
    this.#copy = `COPY ${STAGE} (${list}) FROM STDIN`
    this.#merge =
      `INSERT INTO ${tableSql(table.table)} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM ${STAGE} ` +
      `ON CONFLICT ${keySql(table.key, onExisting === 'append' ? relation.periodKey : null)} ${change}`
  }

  async begin(): Promise<void> {
    await this.#session.ask(this.#create)
  }

  /** @returns number of rows that were added or changed */
  async write(pieces: Iterable<Buffer>): Promise<number> {
    await this.#session.copyIn(this.#copy, pieces)
    const changed = await this.#session.run(this.#merge)
    await this.#session.ask(`TRUNCATE ${STAGE}`)
    return changed
  }
}
