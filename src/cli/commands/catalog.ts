/** verify-rollback, rollback, export-log, migration-status, runs: what is done with a catalog as a whole or a table in it. */
import { SluiceError } from '../../shared/errors.ts'
import { count, flag, given, optionalText, text } from '../arguments.ts'
import type { Arguments } from '../arguments.ts'
import type { CheckFiles, ExportedCheckpoint } from '../../engine/operation.ts'
import { chooseEnd } from '../copy-ends.ts'
import { CHECK_FILES, declareCheckFiles, operate, TABLE_OPERAND } from './command.ts'
import type { Command } from './command.ts'

/** yargs has checked the word against the choices, but not that it came once. */
function checkFiles(args: Arguments): CheckFiles {
  const word = text(args, 'check-files')
  return CHECK_FILES.find((choice) => choice === word) ?? 'sample'
}

const verifyRollback: Command = {
  declare: (yargs, defaults) => {
    yargs.positional('table', TABLE_OPERAND)
    declareCheckFiles(yargs, defaults)
  },
  request: (args, context) =>
    operate({
      kind: 'verify-rollback',
      table: text(args, 'table'),
      catalog: context.catalog(),
      checkFiles: checkFiles(args),
    }),
}

const rollback: Command = {
  declare: (yargs, defaults) => {
    yargs
      .positional('table', TABLE_OPERAND)
      .option('confirm', {
        type: 'string',
        requiresArg: true,
        describe: 'the name of the table, instead of being asked',
      })
      .option('dry-run', {
        alias: 'n',
        type: 'boolean',
        default: false,
        describe: 'say what would go and change nothing',
      })
    declareCheckFiles(yargs, defaults)
  },
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
  declare: (yargs) => {
    yargs
      .positional('table', TABLE_OPERAND)
      .option('to', {
        type: 'string',
        requiresArg: true,
        demandOption: true,
        describe: 'folder that gets the _delta_log; must not hold one',
      })
      .option('checkpoint', {
        choices: CHECKPOINTS,
        requiresArg: true,
        describe:
          'checkpoints to write: none, base (of the version where the catalog begins, if that is not 0) or latest (base, and one ' +
          'of the latest version); base by default',
      })
  },
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
  declare: (yargs) => {
    yargs.option('table-id', { type: 'string', requiresArg: true, describe: 'only this table' })
  },
  request: (args, context) =>
    operate({
      kind: 'migration-status',
      catalog: context.catalog(),
      ...given('tableId', optionalText(args, 'table-id')),
    }),
}

const runs: Command = {
  declare: (yargs, defaults) => {
    yargs
      .option('to', {
        type: 'string',
        requiresArg: true,
        describe: 'URL of a database that copies went into: list those, by its ledger',
      })
      .option('run', {
        type: 'string',
        requiresArg: true,
        describe: 'with --to: the chunks of this run, failed ones first, with their tokens and errors',
      })
      .option('limit', {
        type: 'number',
        requiresArg: true,
        default: defaults.limit ?? 20,
        describe: 'runs to list, newest first, or chunks',
      })
  },
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
