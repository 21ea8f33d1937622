/** Exit codes and their meanings, for help pages and for `--help --json`. */

export const EXIT_CODES: readonly { readonly code: number; readonly meaning: string }[] = [
  { code: 0, meaning: 'done and proved' },
  { code: 1, meaning: 'differences, or tables that failed' },
  { code: 2, meaning: 'usage or configuration' },
  { code: 3, meaning: 'the source' },
  { code: 4, meaning: 'the target' },
  { code: 5, meaning: 'the state of catalog, ledger or archive' },
  { code: 6, meaning: 'unsupported' },
  { code: 70, meaning: 'a bug of sluice' },
  { code: 75, meaning: 'stopped cleanly: the same command resumes' },
  { code: 130, meaning: 'stopped by SIGINT (ctrl-c): the same command resumes' },
  { code: 143, meaning: 'stopped by SIGTERM or SIGHUP: the same command resumes' },
]
