/** demo: its flags; what it does is in ../demo.ts. */
import { optionalText, text } from '../arguments.ts'
import type { Command } from './command.ts'

const demo: Command = {
  declare: (yargs) => {
    yargs
      .positional('path', { type: 'string', describe: 'a lake of your own; else the small one that comes along' })
      .option('dir', {
        type: 'string',
        requiresArg: true,
        default: './sluice-demo',
        describe: 'folder that gets the catalog',
      })
  },
  request: (args) => ({ kind: 'demo', lake: optionalText(args, 'path') ?? null, folder: text(args, 'dir') }),
}

export const commands = { demo }
