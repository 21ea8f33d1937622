/**
 * Queries a filled catalog through the project's own API, with an open connection, and prints JSON: name, milliseconds,
 * rows. Called with URL RUNS.
 */

const [, , url, runsText] = process.argv
const { openCatalogDatabase } = await import('../../build/engine/run/registry.js')
const { readableTable } = await import('../../build/catalog/catalog.js')
const { countsAt } = await import('../../build/catalog/query/counts.js')
const { stateAt } = await import('../../build/catalog/query/state.js')
const { activeFiles, filesOfPartitions, catalogPartitions } = await import('../../build/catalog/query/files.js')
const { prunedFiles, pruningAt } = await import('../../build/catalog/query/pruned.js')

const database = await openCatalogDatabase(url, 'read')
const [[id]] = await database.all('SELECT table_id FROM delta_tables')
const tableId = String(id)
const { latest, historyFrom } = await readableTable(database, { tableId })
const old = Math.floor((latest + historyFrom) / 2)
const partitions = await catalogPartitions(database, tableId)
const partition = partitions[partitions.length >> 1].no

/** @param {AsyncIterable<readonly unknown[]>} pages */
async function count(pages) {
  let rows = 0
  for await (const page of pages) rows += page.length
  return rows
}

/** A new connection, protocol, schema and counts: the cost for a program that plans one scan. */
async function coldOpen() {
  const fresh = await openCatalogDatabase(url, 'read')
  try {
    const table = await readableTable(fresh, { tableId })
    await stateAt(fresh, tableId, table.version)
    return (await countsAt(fresh, tableId, table.version)).files
  } finally {
    await fresh.close()
  }
}

const { metadata } = await stateAt(database, tableId, latest)
/** A number to query: a file's own minimum, so that some files remain. */
const numeric = JSON.parse(metadata.schemaString).fields.find(({ type }) => type === 'long' || type === 'integer')?.name
const pruned = async () => {
  const where = `${numeric} = 1000`
  return count(prunedFiles(database, tableId, latest, await pruningAt(database, tableId, latest, where)))
}

/** @type {Record<string, () => Promise<number>>} */
const questions = {
  'facts of the latest version': async () => Object.keys(await stateAt(database, tableId, latest)).length,
  'cold open: connection, schema, counts': coldOpen,
  'counts, latest version': async () => (await countsAt(database, tableId, latest)).files,
  'counts, old version': async () => (await countsAt(database, tableId, old)).files,
  'files of one partition, latest': () => count(filesOfPartitions(database, tableId, latest, [partition])),
  'files of one partition, old': () => count(filesOfPartitions(database, tableId, old, [partition])),
  'all files, latest': () => count(activeFiles(database, tableId, latest)),
  'all files, old version': () => count(activeFiles(database, tableId, old)),
}
// Only one program at a time can open a DuckDB file.
if (database.dialect === 'duckdb') delete questions['cold open: connection, schema, counts']
if (numeric !== undefined) questions['files by minimum and maximum'] = pruned

const answers = []
for (const [name, ask] of Object.entries(questions)) {
  const ms = []
  let rows = await ask() // not timed: prepares the statement
  for (let run = 0; run < Number(runsText); run++) {
    const start = process.hrtime.bigint()
    rows = await ask()
    ms.push(Number(process.hrtime.bigint() - start) / 1e6)
  }
  answers.push({ name, ms, rows })
}
await database.close()
process.stdout.write(JSON.stringify(answers))
