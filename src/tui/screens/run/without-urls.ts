/** Shortens a command line for the title of its screen. */

const URLS = / --(?:from|to|database-url)(?:=| )(?:'(?:[^']|'\\'')*'|"[^"]*"|\S+)/g

/** The command line without program name and URLs; the first row of the screen shows them. */
export function withoutUrls(commandLine: string): string {
  return commandLine.replace(/^sluice /, '').replace(URLS, '')
}
