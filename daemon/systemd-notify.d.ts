/** npm systemd-notify 1.0.0 has no types. It rejects with a *string* when the program fails, an Error when it is missing. */
declare module 'systemd-notify' {
  type Options = { readonly ready?: boolean; readonly status?: string; readonly pid?: number };
  export default function notify(options: Options): Promise<string>;
}
