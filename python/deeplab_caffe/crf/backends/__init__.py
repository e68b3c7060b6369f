"""The programs that do inference: one module each, with a function `infer`; `inference` chooses among them."""
