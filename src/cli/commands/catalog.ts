/** verify-rollback, rollback, export-log, migration-status, runs: what is done with a catalog as a whole or a table in it. */
import { SluiceError } from '../../shared/errors.ts'
import { count, flag, given, optionalText, text } from '../arguments.ts'
import type { Arguments } from '../arguments.ts'
import type { CheckFiles, ExportedCheckpoint } from '../../engine/operation.ts'
import { chooseEnd } from '../copy-ends.ts'
import { CHECK_FILES, operate } from './command.ts'
import type { Command } from './command.ts'

/** yargs has checked the word against the choices, but not that it came once. */
function checkFiles(args: Arguments): CheckFiles {
  const word = text(args, 'check-files')
  return CHECK_FILES.find((choice) => choice === word) ?? 'sample'
}

const verifyRollback: Command = {
  request: (args, context) =>
    operate({
      kind: 'verify-rollback',
      table: text(args, 'table'),
      catalog: context.catalog(),
      checkFiles: checkFiles(args),
    }),
}

const rollback: Command = {
  request: (args, context) =>
    operate({
      kind: 'rollback',
      table: text(args, 'table'),
      catalog: context.catalog(),
      ...given('confirm', optionalText(args, 'confirm')),
      checkFiles: checkFiles(args),
      dryRun: flag(args, 'dry-run'),
    }),
}

const CHECKPOINTS: readonly ExportedCheckpoint[] = ['none', 'base', 'latest']

const exportLog: Command = {
  request: (args, context) => {
    const word = optionalText(args, 'checkpoint')
    return operate({
      kind: 'export-log',
      table: text(args, 'table'),
      catalog: context.catalog(),
      to: text(args, 'to'),
      ...given(
        'checkpoint',
        CHECKPOINTS.find((choice) => choice === word),
      ),
    })
  },
}

const migrationStatus: Command = {
  request: (args, context) =>
    operate({
      kind: 'migration-status',
      catalog: context.catalog(),
      ...given('tableId', optionalText(args, 'table-id')),
    }),
}

const runs: Command = {
  request: (args, context) => {
    const limit = count(args, 'limit', 1)
    const isOfCopies = optionalText(args, 'to') !== undefined
    const run = optionalText(args, 'run')
    if (!isOfCopies && run !== undefined) {
      throw new SluiceError('BAD_FLAG', '--run needs --to', { hint: 'name the database that the copy went into' })
    }
    if (!isOfCopies) return operate({ kind: 'runs', catalog: context.catalog(), limit })
    const to = chooseEnd('to', args, context.defaults, context.env)
    return operate(
      { kind: 'copy-runs', to: to.url, limit, ...given('runId', run === undefined ? undefined : runOf(run)) },
      { printed: {} },
    )
  },
}

/** @throws SluiceError BAD_FLAG */
function runOf(word: string): string {
  if (/^\d{1,19}$/.test(word)) return word
  throw new SluiceError('BAD_FLAG', `--run ${word} is no id of a run`, { hint: 'sluice runs --to URL lists them' })
}

export const commands = {
  'verify-rollback': verifyRollback,
  rollback,
  'export-log': exportLog,
  'migration-status': migrationStatus,
  runs,
}
