/**
 * Counts and deletes rows of protocol, metadata, transactions and domains below a version, if newer rows replaced them.
 */
import { STATE_RELATIONS, type StateRelation } from './state-relations.ts'
import type { RelationRowCounts } from './rollback.ts'
import type { SqlReader } from '../model/run/sql-port.ts'
import { sweepReader, sweepStep, type CatalogSweep } from './sweep-step.ts'
import { countOf } from './count-rows.ts'

type Place = { readonly version: number; readonly source: number; readonly line: number }

/** Maximum number of rows that one statement deletes by their keys. */
const ROWS_A_STATEMENT = 200

/** Number of superseded rows below a version, by relation. */
export async function supersededRows(reader: SqlReader, tableId: string, below: number): Promise<RelationRowCounts> {
  const counts: { relation: string; rows: number }[] = []
  for (const relation of STATE_RELATIONS) {
    const rows = await countOf(reader, `${relation.name} WHERE table_id = ? AND version < ?`, [tableId, below])
    const kept = await currentRows(reader, tableId, relation, below)
    counts.push({ relation: relation.name, rows: rows - kept.length })
  }
  return counts
}

/** Removes superseded rows. @returns how many, by relation */
export async function dropSuperseded(at: CatalogSweep, below: number): Promise<RelationRowCounts> {
  const { tableId } = at
  const reader = sweepReader(at)
  const counts: { relation: string; rows: number }[] = []
  for (const relation of STATE_RELATIONS) {
    const kept = await currentRows(reader, tableId, relation, below)
    const versions = [...new Set(kept.map(({ version }) => version))]
    let rows = 0
    for (const [i, version] of [...versions, below].entries()) {
      rows += await dropBetween(at, relation.name, versions[i - 1] ?? -1, version)
    }
    for (const version of versions) {
      const stay = new Set(kept.filter((row) => row.version === version).map(({ source, line }) => `${source}:${line}`))
      const all = await reader.all(`SELECT source, line FROM ${relation.name} WHERE table_id = ? AND version = ?`, [
        tableId,
        version,
      ])
      const gone = all.filter(([source, line]) => !stay.has(`${String(source)}:${String(line)}`))
      rows += await dropRows(
        at,
        relation.name,
        version,
        gone.map(([source, line]) => [source as number, line as number]),
      )
    }
    counts.push({ relation: relation.name, rows })
  }
  return counts
}

/** Rows below version `at` that are still the newest of their key at this version, ascending. */
async function currentRows(
  reader: SqlReader,
  tableId: string,
  { name, key }: StateRelation,
  at: number,
): Promise<readonly Place[]> {
  const partition = key === null ? '' : `PARTITION BY ${key} `
  const rows = await reader.all(
    `SELECT version, source, line FROM (
       SELECT version, source, line, row_number() OVER (${partition}ORDER BY version DESC, source ASC, line DESC) AS nth
       FROM ${name} WHERE table_id = ? AND version <= ?) AS ranked
     WHERE nth = 1 AND version < ? ORDER BY version`,
    [tableId, at, at],
  )
  return rows.map(([version, source, line]) => ({
    version: version as number,
    source: source as number,
    line: line as number,
  }))
}

async function dropBetween(at: CatalogSweep, relation: string, above: number, below: number): Promise<number> {
  if (below - above <= 1) return 0
  return sweepStep(at, (transaction) =>
    transaction.run(`DELETE FROM ${relation} WHERE table_id = ? AND version > ? AND version < ?`, [
      at.tableId,
      above,
      below,
    ]),
  )
}

async function dropRows(
  at: CatalogSweep,
  relation: string,
  version: number,
  rows: readonly (readonly [source: number, line: number])[],
): Promise<number> {
  let gone = 0
  for (let start = 0; start < rows.length; start += ROWS_A_STATEMENT) {
    const some = rows.slice(start, start + ROWS_A_STATEMENT)
    const places = some.map(() => '(source = ? AND line = ?)').join(' OR ')
    gone += await sweepStep(at, (transaction) =>
      transaction.run(`DELETE FROM ${relation} WHERE table_id = ? AND version = ? AND (${places})`, [
        at.tableId,
        version,
        ...some.flat(),
      ]),
    )
  }
  return gone
}
