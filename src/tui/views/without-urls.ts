/** A command as the title of its screen. */

const URLS = / --(?:from|to|database-url)(?:=| )(?:'(?:[^']|'\\'')*'|"[^"]*"|\S+)/g

/** Without its program, and without the URLs that stand in the first row of the screen. */
export function withoutUrls(commandLine: string): string {
  return commandLine.replace(/^sluice /, '').replace(URLS, '')
}
