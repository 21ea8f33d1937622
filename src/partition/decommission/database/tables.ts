/** Findings for each table of a database to remove: moved, named with --leave, or preventing the removal. */
import { isCalled, tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { DecommissionFinding } from '../../../model/partition/decommission-port.ts'
import { isOfLedgers, ownTable } from '../../../stores/common/own-tables.ts'
import type { ContainedTable, Contents } from '../../../model/partition/retirement-port.ts'
import { tableKeyOf } from '../../../engine/copy/ledger/owner.ts'
import { countBothSides, type KeptTable, type SidesOptions } from './both-sides.ts'
import { copiesOf, isAll, type MovedTable } from './moved.ts'

/** Name of large objects for `--leave`. */
export const LARGE_OBJECTS = 'large objects'
/** Name of the first table of an archive ledger. In `--leave`, this name means the whole archive ledger. */
export const ARCHIVES = 'migration_archives'

/**
 * Checks the names that the user gave with --leave.
 * @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE if one of them matches no table, or several
 */
export function refuseUnknownLeft({ tables }: Contents, leave: readonly string[]): void {
  for (const name of leave) {
    if (name === LARGE_OBJECTS) continue
    const named = tables.filter(({ table }) => isCalled(table, name))
    if (named.length === 1) continue
    if (named.length > 1) {
      const texts = named.map(({ table }) => tableText(table)).join(', ')
      throw new SluiceError('AMBIGUOUS_TABLE', `--leave ${name} matches more than one table: ${texts}`, {
        hint: 'name it with its schema',
      })
    }
    throw new SluiceError('NO_SUCH_TABLE', `--leave names ${name}, but the database has no such table`, {
      hint: 'write the name as in the findings, with its schema',
    })
  }
}

export type DatabaseTablesOptions = SidesOptions & {
  readonly contents: Contents
  readonly moved: readonly MovedTable[]
  readonly leave: readonly string[]
  /** URL of the database that the tables moved to, without password. */
  readonly to: string
}

export type TableFindings = {
  readonly findings: readonly DecommissionFinding[]
  /** Completely moved tables. */
  readonly kept: readonly KeptTable[]
}

/** One finding for each table, and for large objects. */
export async function tableFindings(options: DatabaseTablesOptions): Promise<TableFindings> {
  const { contents, moved, leave, to } = options
  const found: DecommissionFinding[] = []
  const kept: KeptTable[] = []
  const ledgers = contents.tables.filter(isOurs)
  if (ledgers.length > 0) {
    const [verb, they] = ledgers.length === 1 ? ['table', 'it goes'] : ['tables', 'they go']
    const detail = `${ledgers.length} ${verb} that sluice keeps for runs into this database: ${they} with the database`
    found.push({ verdict: 'look', about: 'ledger', detail })
  }
  for (const table of contents.tables) {
    if (ledgers.includes(table)) continue
    const one = await ofTable(table, options)
    found.push(one.finding)
    if (one.kept !== null) kept.push(one.kept)
  }
  if (!contents.tables.some((table) => copiesOf(table, moved).length > 0)) {
    found.push({
      verdict: 'refused',
      about: 'move',
      detail: `the ledger of ${to} has no copy of a table of this database`,
      hint: 'name the database that the tables have moved to with --to',
    })
  }
  if (contents.largeObjects !== '0') {
    const detail = `${contents.largeObjects} of them, and a copy does not include them`
    found.push(
      leave.includes(LARGE_OBJECTS)
        ? {
            verdict: 'look',
            about: LARGE_OBJECTS,
            detail: `${detail}: they will be dropped with the database, as --leave requests`,
          }
        : { verdict: 'refused', about: LARGE_OBJECTS, detail, hint: `add --leave ${shellQuote(LARGE_OBJECTS)}` },
    )
  }
  return { findings: found, kept }
}

/** True for a ledger table of sluice. Compares columns, too: a user's table may have the same name. */
function isOurs({ table, columns }: ContainedTable): boolean {
  const own = ownTable(table.name)
  if (own === null || !isOfLedgers(own) || own.marks.length === 0) return false
  return own.marks.every((name) => columns.includes(name)) && (own.oneColumn !== true || columns.length === 1)
}

type OfTable = { readonly finding: DecommissionFinding; readonly kept: KeptTable | null }

async function ofTable(table: ContainedTable, options: DatabaseTablesOptions): Promise<OfTable> {
  const { moved, leave } = options
  const object = tableText(table.table)
  const isLeft = leave.some((name) => isCalled(table.table, name))
  const holds = `${table.rows === null ? 'its rows were not counted' : `about ${table.rows} rows`}, ${table.bytes} bytes`
  const [copy] = copiesOf(table, moved)
  const renamed = copy === undefined ? '' : renamedTo(table, copy)
  const lackOfCopy = copy === undefined ? 'no run has copied it' : lackOf(copy, table)
  const sides = copy === undefined || lackOfCopy !== null ? null : await countBothSides(table, copy, options)
  const lacks = lackOfCopy ?? sides?.lacks ?? null
  if (sides === null || lacks !== null) {
    const what = `${lacks ?? ''}; ${holds}`
    if (isLeft) {
      return {
        finding: {
          verdict: 'look',
          about: 'table',
          object,
          detail: `${what}: it will be dropped, as --leave requests`,
        },
        kept: null,
      }
    }
    const first =
      sides === null
        ? 'copy it'
        : `sluice diff${renamed} --table ${shellQuote(object)} shows what the target lacks; if all rows of the old database are right, sluice diff --fix${renamed} --table ${shellQuote(object)} writes them over those of the new one, also over rows written there since the move; sluice copy --restart${renamed} --table ${shellQuote(object)} is needed if its table was replaced or dropped`
    const hint = `${first}, or add --leave ${shellQuote(object)} if its rows are no longer needed`
    return { finding: { verdict: 'refused', about: 'table', object, detail: what, hint }, kept: null }
  }
  const { proof, detail, kept } = sides
  // Only a cutover closes the source: after a stream's last comparison, rows may have changed unseen.
  const isFine = proof.by === 'switch' && kept !== null && BigInt(kept.rows) >= BigInt(kept.sourceRows)
  const hint = `sluice diff${renamed} --table ${shellQuote(object)} compares both sides while connections are accepted`
  return {
    finding: { verdict: isFine ? 'fine' : 'look', about: 'table', object, detail, ...(isFine ? {} : { hint }) },
    kept,
  }
}

/** Options of a copy or comparison whose target table has another name. */
function renamedTo({ table }: ContainedTable, copy: MovedTable): string {
  const { schema, name } = tableKeyOf(table)
  const inSchema = copy.schema === '' || copy.schema === schema ? '' : ` --to-schema ${shellQuote(copy.schema)}`
  return `${inSchema}${copy.name === name ? '' : ` --to-table ${shellQuote(copy.name)}`}`
}

/** What a copy lacks; null if it is complete. */
function lackOf(copy: MovedTable, { columns }: ContainedTable): string | null {
  // A table known from a cutover only: no plan lists its columns.
  if (copy.source === null) return null
  if (!copy.isWhole) return `its copy into ${copy.name} is not complete`
  if (!isAll(copy)) return `only rows with ${copy.where ?? ''} were copied into ${copy.name}`
  // The plan may be older than columns that both tables had at the cutover: `countBothSides` compares the tables.
  if (copy.switched !== null) return null
  const missing = columns.filter((name) => !copy.columns.some((column) => column.startsWith(`${name} -> `)))
  if (missing.length === 0) return null
  return `its copy into ${copy.name} is without ${missing.length === 1 ? 'column' : 'columns'} ${missing.join(', ')}`
}
