/** validate, performance-compare. */
import { count, flag, given, list, optionalCount, optionalText, text } from '../arguments.ts'
import { optionalDuration } from '../duration.ts'
import { operate, TABLE_OPERAND } from './command.ts'
import type { Command } from './command.ts'

/** Older versions that a validation checks by default. */
const SAMPLES = 4

const validate: Command = {
  declare: (yargs, defaults) => {
    yargs.positional('table', TABLE_OPERAND).option('samples', {
      type: 'number',
      requiresArg: true,
      ...given('default', defaults.samples),
      defaultDescription: '4 versions, all checkpoints',
      describe: 'older versions to check beside the latest, and checkpoints at most',
    })
  },
  request: (args, context) =>
    operate({
      kind: 'validate',
      table: text(args, 'table'),
      catalog: context.catalog(),
      verbose: flag(args, 'verbose'),
      samples: optionalCount(args, 'samples', 0, 1000) ?? SAMPLES,
      ...given('checkpoints', optionalCount(args, 'samples', 0, 1000)),
    }),
}

const compare: Command = {
  declare: (yargs, defaults) => {
    yargs
      .positional('table', TABLE_OPERAND)
      .option('runs', {
        type: 'number',
        requiresArg: true,
        default: defaults.runs ?? 7,
        describe: 'times each question is asked on either side',
      })
      .option('question', {
        array: true,
        string: true,
        nargs: 1,
        requiresArg: true,
        default: [],
        defaultDescription: 'all',
        describe: 'ask only this one; repeatable',
      })
      .option('cold', {
        type: 'boolean',
        default: true,
        describe: 'ask once in a fresh process too; --no-cold leaves that out',
      })
      .option('simulate-latency', {
        type: 'string',
        requiresArg: true,
        describe:
          'make the lake and a database server this round trip further away, by a proxy on the way to them; such as 30ms',
      })
      .option('report', { type: 'string', requiresArg: true, describe: 'write the answers to this Markdown file' })
  },
  request: (args, context) => {
    const questions = list(args, 'question')
    return operate({
      kind: 'performance-compare',
      table: text(args, 'table'),
      catalog: context.catalog(),
      runs: count(args, 'runs', 1, 1000),
      ...given('report', optionalText(args, 'report')),
      ...given('questions', questions.length === 0 ? undefined : questions),
      cold: flag(args, 'cold'),
      ...given('latencyMs', optionalDuration(args, 'simulate-latency')),
    })
  },
}

export const commands = { validate, 'performance-compare': compare }
