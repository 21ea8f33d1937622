/** Commands of the command line itself, which start no operation. */
import type { CommandDeclaration } from '../../engine/run/operations/option.ts'

export const OWN_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'ctl',
    operands: '[run] [setting..]',
    group: 'Copies',
    summary: 'list running copies, or change one',
    takes: [
      {
        name: 'run',
        operand: true,
        type: 'text',
        completes: 'run',
        describe: 'id of a run on this machine; without it all running ones are listed',
      },
      {
        name: 'setting',
        operand: true,
        type: 'list',
        describe:
          'workers N, lanes N, rate N, pause, resume, stop; pause, resume, skip, retry with TABLE or TABLE/CHUNK; without one, show the state of the run',
      },
    ],
  },
  {
    name: 'attach',
    operands: '[run]',
    group: 'Operate',
    summary: 'watch a run of this machine',
    takes: [
      {
        name: 'run',
        operand: true,
        type: 'text',
        completes: 'run',
        describe: 'id of a run on this machine (default: the only one that is running)',
      },
    ],
    epilogue:
      'In a terminal it opens the Run screen: q leaves it, and the run continues; p + - < > x X steer the run. ' +
      'Elsewhere it prints the lines of the run, or its events with --json. If the run ends while it is ' +
      'watched, the exit code is that of the run.\n',
  },
  {
    name: 'init',
    operands: '',
    group: 'Operate',
    summary: 'write a sluice.yaml for this folder',
    takes: [
      {
        name: 'lake',
        type: 'text',
        completes: 'path',
        describe: 'folder or bucket with Delta tables (default: a lake found in the current folder)',
      },
      { name: 'from', type: 'text', completes: 'database', describe: 'URL of the source of copies' },
      { name: 'to', type: 'text', completes: 'database', describe: 'URL of the target of copies' },
      {
        name: 'write',
        type: 'text',
        default: './sluice.yaml',
        completes: 'file',
        describe: 'file to write; an existing file is not changed',
      },
      {
        name: 'dry-run',
        alias: 'n',
        type: 'flag',
        default: false,
        describe: 'print the content of the file, and write nothing',
      },
    ],
    epilogue:
      'Databases come from the flags, with --database-url for the catalog, and from environment variables. A ' +
      'URL with a password is written as the variable that contains it. Nothing is opened. In a terminal the ' +
      'text is shown first.\n',
  },
  {
    name: 'trust',
    operands: '[folder]',
    group: 'Operate',
    summary: 'trust the sluice.yaml of a folder',
    takes: [
      {
        name: 'folder',
        operand: true,
        type: 'text',
        completes: 'folder',
        describe: 'folder of the file (default: the current one)',
      },
      { name: 'list', type: 'flag', default: false, describe: 'list the files that are trusted' },
      { name: 'remove', type: 'flag', default: false, describe: 'no longer trust the file of this folder' },
    ],
    epilogue:
      'The file can name databases, files to write and commands to run: read it first. It is trusted with its ' +
      'present content; after a change sluice asks again. --config FILE reads a file without this.\n',
  },
  {
    name: 'demo',
    operands: '[path]',
    group: 'Operate',
    summary: 'import, prove and compare a small lake, or yours',
    takes: [
      {
        name: 'path',
        operand: true,
        type: 'text',
        completes: 'path',
        describe: 'a lake of your own (default: a small one that sluice includes)',
      },
      {
        name: 'dir',
        type: 'text',
        default: './sluice-demo',
        completes: 'folder',
        describe: 'folder for the catalog',
      },
    ],
  },
  {
    name: 'man',
    operands: '[command]',
    group: 'Operate',
    summary: 'print the manual page of sluice or of a command',
    takes: [
      {
        name: 'command',
        operand: true,
        type: 'text',
        completes: 'command',
        describe: 'name of a command; else the page of the program',
      },
    ],
    epilogue: '`sluice man copy | man -l -` shows it.\n',
  },
  {
    name: 'completion',
    operands: '<shell>',
    group: 'Operate',
    summary: 'print completions for bash, zsh or fish',
    takes: [
      { name: 'shell', operand: true, type: 'text', choices: ['bash', 'zsh', 'fish'], describe: 'bash, zsh or fish' },
    ],
    epilogue:
      'source <(sluice completion bash) completes commands, actions, flags, choices and files in this shell; ' +
      'with --config FILE also the names of stores. Tables, columns and partitions are read from the database ' +
      'or the catalog that the command line names.\n',
  },
]
