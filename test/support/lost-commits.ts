/** A database that loses the first COMMIT of every transaction: it rolls back, and its program gets no answer. */
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'

/** Like a store after a lost connection, it asks `landed`, and runs the body again only if that says no. */
export function losingCommits(database: SqlDatabase): SqlDatabase {
  const write: SqlDatabase['write'] = async (body, landed) => {
    const lost = new Error('the COMMIT got no answer')
    let result: unknown
    await database
      .write(async (transaction) => {
        result = await body(transaction)
        throw lost
      })
      .catch((error: unknown) => {
        if (error !== lost && (error as Error).cause !== lost) throw error
      })
    if (landed === undefined) throw lost
    return (await landed(database)) ? (result as Awaited<ReturnType<typeof body>>) : database.write(body, landed)
  }
  return new Proxy(database, {
    get(target, key) {
      if (key === 'write') return write
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
