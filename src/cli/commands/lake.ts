/** discover, import, batch-import. */
import { SluiceError } from '../../shared/errors.ts'
import { count, flag, given, list, optionalText, text } from '../arguments.ts'
import { isCopyUrl } from '../../engine/systems.ts'
import { parseDuration } from '../duration.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'
import { splitNames } from '../name-list.ts'

/** Tables that are found without their schema, and those of every schema. */
const EVERY_TABLE = ['*', '*.*']

const discover: Command = {
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
