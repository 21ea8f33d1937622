/** validate, performance-compare. */
import { SAMPLED_VERSIONS } from '../../engine/operations/validate/declaration.ts'
import { count, flag, given, list, optionalCount, optionalText, text } from '../arguments.ts'
import { optionalDuration } from '../duration.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const validate: Command = {
  request: (args, context) =>
    operate({
      kind: 'validate',
      table: text(args, 'table'),
      catalog: context.catalog(),
      verbose: flag(args, 'verbose'),
      samples: optionalCount(args, 'samples', 0, 1000) ?? SAMPLED_VERSIONS,
      ...given('checkpoints', optionalCount(args, 'samples', 0, 1000)),
    }),
}

const compare: Command = {
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
