/** DuckDB as the writer of Parquet: one thread, so that the same rows always give the same bytes. */

/** @typedef {import('@duckdb/node-api').DuckDBConnection} Connection */

/**
 * Opens an in-memory DuckDB, and closes it after `body`.
 * @template T @param {(connection: Connection) => Promise<T>} body @returns {Promise<T>}
 */
export async function withDuck(body) {
  const { DuckDBInstance } = await import('@duckdb/node-api') // imported only for lakes with Parquet files
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  try {
    return await body(connection)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** @param {string} text */
export const quoted = (text) => `'${text.replaceAll("'", "''")}'`
