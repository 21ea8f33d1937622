/** attach: its operand; the implementation is in ../run-attach.ts. */
import { runIdArgument } from '../flags/run-id.ts'
import type { Command } from './command.ts'

const attach: Command = {
  request: (args) => ({ kind: 'attach', run: runIdArgument(args, 'run', 'RUN') ?? null }),
}

export const commands = { attach }
