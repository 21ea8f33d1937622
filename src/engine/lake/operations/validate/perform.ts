/** `validate`: compares a table of the catalog with its log, and records the result. */
import { readImportHead } from '../../../../catalog/import/head.ts'
import type { CheckpointsInspected } from '../../../../catalog/validate/checkpoints.ts'
import { validateTable, type ValidationResult } from '../../../../catalog/validate/index.ts'
import { recordValidation } from '../../../../catalog/validations.ts'
import { importAgainText, withLocationHint } from '../../../../catalog/location-hints.ts'
import { dec } from '../../../../model/run/event.ts'
import { readableTable } from '../../../../catalog/catalog.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { redactUrl } from '../../../../shared/redact.ts'
import { shellQuote } from '../../../../shared/shell.ts'
import { withCatalog, withWritableCatalog } from '../../catalog-session.ts'
import { knownTables } from '../../import/known-tables.ts'
import { openLake, scratchDatabase } from '../../../run/registry.ts'
import { resolveTable, tableKey } from '../../resolve.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { validate, ValidateOperation } from './declaration.ts'
import { countText } from '../../../../shared/figures.ts'

type ValidateRun = RunOf<typeof validate>

/** What a validation does not check. */
const NOT_OPENED =
  'data files and deletion vectors were not opened, and structs of checkpoints were not compared with their texts: sluice fsck TABLE does both'

export async function performValidate(operation: ValidateOperation, run: ValidateRun): Promise<Ending> {
  const { emit, interrupt, clock } = run
  const ref = await withCatalog(operation.catalog, (database) => resolveTable(operation.table, database))
  const log = await openLake(ref.path)
  return withWritableCatalog(operation.catalog, run, ref.path, async ({ database }) => {
    const head = await readImportHead(database, await tableKey(ref, log))
    if (head === null) {
      throw new SluiceError('NO_SUCH_TABLE', `${operation.table} is not in the catalog`, {
        where: log.root,
        hint: `import it first: sluice import ${shellQuote(operation.table)} --database-url ${shellQuote(redactUrl(operation.catalog))}`,
      })
    }
    // Refuses an incomplete table, which cannot be validated.
    await readableTable(database, { tableId: head.tableId })
    const [known] = await knownTables(database, { tableId: head.tableId })
    let otherThanRanges = 0
    const result = await validateTable({
      catalog: database,
      tableId: head.tableId,
      log,
      scratch: scratchDatabase,
      samples: operation.samples,
      checkpoints: operation.checkpoints ?? Infinity,
      now: clock.now(),
      random: Math.random,
      interrupt,
      emit: (event) => {
        if (event.type === 'verify.mismatch' && event.check !== 'ranges') otherThanRanges++
        emit(
          event.type === 'verify.mismatch' && known !== undefined ? { ...event, importedAt: known.importedAt } : event,
        )
      },
      table: operation.table,
    }).catch((error: unknown) => {
      throw withLocationHint(error, head.tableId)
    })
    for (const note of result.notes) emit({ type: 'log', level: 'note', table: operation.table, message: note })
    const { version, checks, differences } = result
    await database.write((transaction) =>
      recordValidation(transaction, run.runId, {
        tableId: head.tableId,
        version,
        checks,
        differences,
        checkedAt: clock.now(),
      }),
    )
    const totals = {
      version: dec(version),
      versions: dec(result.versions.length),
      checks: dec(checks),
      differences: dec(differences),
      checkpoints: dec(result.checkpoints.inspected),
      checkpointsUnreadable: dec(result.checkpoints.unreadable),
      checkpointsInLog: dec(result.checkpoints.all),
    }
    const notChecked = NOT_OPENED
    if (differences === 0)
      return {
        totals,
        notChecked,
        proof: `log at ${result.versions.map((v) => `v${v}`).join(' ')}; ${result.witnesses.join(', ')}${checkpointsText(result.checkpoints)}`,
      }
    const { tableId } = head
    return {
      totals,
      notChecked,
      proof: 'none',
      error: new SluiceError(
        'DIFFERENCES',
        `${differences === result.witnessDifferences ? 'files of the log differ from its commits' : 'the catalog differs from the log'} in ${countText(differences, 'place')}`,
        {
          where: log.label,
          hint: adviceOn(result, otherThanRanges, { tableId, path: ref.path, url: redactUrl(operation.catalog) }),
        },
      ),
    }
  })
}

function adviceOn(
  { differences, witnessDifferences, timeDifferences }: ValidationResult,
  otherThanRanges: number,
  { tableId, path, url }: { readonly tableId: string; readonly path: string; readonly url: string },
): string {
  const [id, catalog] = [shellQuote(tableId), `--database-url ${shellQuote(url)}`]
  if (differences === witnessDifferences)
    return 'the catalog agrees with the commits; other files of the log do not, and readers that start from them see other data: write a new checkpoint of the table, and keep its commits until then'
  if (otherThanRanges === 0)
    return `only ranges are wrong, which could hide files from a condition: rebuild them with sluice index ${id} COLUMN --drop ${catalog}, then without --drop`
  if (differences === witnessDifferences + timeDifferences)
    return `only times of commits differ: the folder may have been copied or restored with other file times, or a commit that sets the time of later ones may have been cleaned up; take over the times of the log with sluice import ${shellQuote(path)} --table-id ${id} --moved ${catalog}`
  return importAgainText(tableId, url)
}

/** Number of compared checkpoints, as text; empty if the log has none. */
function checkpointsText({ inspected, all, notJudged }: CheckpointsInspected): string {
  if (all === 0) return ''
  return `; ${inspected} of ${all} checkpoints compared${notJudged === 0 ? '' : `, ${notJudged} not compared: their commits are gone`}`
}
