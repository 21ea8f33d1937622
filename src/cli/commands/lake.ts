/** discover, import, batch-import. */
import { SluiceError } from '../../shared/errors.ts'
import { count, flag, given, list, optionalText, text } from '../arguments.ts'
import { isCopyUrl } from '../../engine/systems.ts'
import { parseDuration } from '../duration.ts'
import { declareExclude, declareImportFlags, operate } from './command.ts'
import type { Command } from './command.ts'
import { splitNames } from '../name-list.ts'

/** Tables that are found without their schema, and those of every schema. */
const EVERY_TABLE = ['*', '*.*']

const discover: Command = {
  declare: (yargs, defaults) => {
    yargs
      .positional('path', { type: 'string', describe: 'folder to look in, or URL of a bucket or a database' })
      .option('recursive', { alias: 'r', type: 'boolean', default: false, describe: 'look in folders below too' })
    declareExclude(yargs, defaults)
    yargs.option('tables', {
      array: true,
      string: true,
      nargs: 1,
      requiresArg: true,
      default: [],
      defaultDescription: 'all',
      describe: "of a database: only tables of these names or patterns, such as 'public.*'; repeatable",
    })
  },
  request: (args) => {
    const path = text(args, 'path')
    const patterns = list(args, 'tables').flatMap((word) => splitNames('--tables', word))
    if (isCopyUrl(path)) {
      const tables = patterns.length === 0 ? EVERY_TABLE : patterns
      return operate({ kind: 'discover-database', url: path, tables })
    }
    if (patterns.length > 0) {
      throw new SluiceError('BAD_FLAG', '--tables is for databases', { hint: 'give the URL of one, or leave it out' })
    }
    return operate({ kind: 'discover', path, recursive: flag(args, 'recursive'), exclude: list(args, 'exclude') })
  },
}

const importOne: Command = {
  declare: (yargs, defaults) => {
    yargs.positional('table', { type: 'string', describe: 'path with a _delta_log below it' }).option('table-id', {
      type: 'string',
      requiresArg: true,
      describe: 'name in the catalog; else the folder name and 8 hex digits',
    })
    declareImportFlags(yargs, defaults)
    yargs
      .option('allow-refused', {
        type: 'boolean',
        default: false,
        describe: 'import a table with features we cannot read, marked as refused',
      })
      .option('wait', {
        type: 'string',
        requiresArg: true,
        default: '0s',
        describe: 'how long to wait for another import of this table',
      })
  },
  request: (args, context) =>
    operate({
      kind: 'import',
      table: text(args, 'table'),
      catalog: context.catalog(),
      ...given('tableId', optionalText(args, 'table-id')),
      dryRun: flag(args, 'dry-run'),
      resume: flag(args, 'resume'),
      batchSize: count(args, 'batch-size', 1),
      verbose: flag(args, 'verbose'),
      allowRefused: flag(args, 'allow-refused'),
      waitMs: parseDuration('--wait', text(args, 'wait')),
    }),
}

const batchImport: Command = {
  declare: (yargs, defaults) => {
    yargs
      .positional('path', { type: 'string', describe: 'folder whose tables are imported' })
      .option('recursive', { alias: 'r', type: 'boolean', default: false, describe: 'look in folders below too' })
      .option('parallel', {
        alias: 'workers',
        type: 'number',
        requiresArg: true,
        default: defaults.parallel ?? 2,
        describe: 'tables imported at the same time',
      })
    declareExclude(yargs, defaults)
    declareImportFlags(yargs, defaults)
  },
  request: (args, context) =>
    operate({
      kind: 'batch-import',
      path: text(args, 'path'),
      catalog: context.catalog(),
      recursive: flag(args, 'recursive'),
      exclude: list(args, 'exclude'),
      parallel: count(args, 'parallel', 1, 64),
      batchSize: count(args, 'batch-size', 1),
      dryRun: flag(args, 'dry-run'),
      resume: flag(args, 'resume'),
      verbose: flag(args, 'verbose'),
    }),
}

export const commands = { discover, import: importOne, 'batch-import': batchImport }
