/** Where a connection goes first on its way to a server. Names, certificates and signatures stay those of the server itself. */

export type ServerAddress =
  | { readonly host: string; readonly port: number }
  /** A socket file. */
  | { readonly path: string }

/** The place to connect to instead of the server: something that listens there passes every byte on. */
export type Route = (server: ServerAddress) => Promise<{ readonly host: string; readonly port: number }>
