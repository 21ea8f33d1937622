/** Indexes of a database file. */
import type Database from 'better-sqlite3'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { objectFailed } from '../../common/object-names.ts'
import { sqliteObjectStore } from '../../common/sqlite-dialect/object-list.ts'
import { sqliteCode } from '../errors.ts'
import { sqliteListRows, writtenInTurn, type SqliteParts } from './connection.ts'

export function sqliteObjects(parts: SqliteParts): ObjectStore {
  return sqliteObjectStore(sqliteListRows(parts), async (sql, object, table, signal) => {
    const build = (connection: Database.Database): void => {
      try {
        connection.exec(sql)
      } catch (error) {
        if (!/^SQLITE_(?:CONSTRAINT|ERROR)/.test(sqliteCode(error))) throw error
        const where = `${parts.label}, ${table.table.name}`
        throw objectFailed(object, (error as Error).message, { where, cause: error })
      }
    }
    await writtenInTurn(parts, build, signal)
  })
}
