/** attach: its operand; the implementation is in ../run-attach.ts. */
import { runIdOf } from '../run-id.ts'
import type { Command } from './command.ts'

const attach: Command = {
  request: (args) => ({ kind: 'attach', run: runIdOf(args, 'run', 'RUN') ?? null }),
}

export const commands = { attach }
