#!/usr/bin/python3
"""WebKitGTK with a profile on disk: MiniBrowser has none while it is automated, and so forgets its keys when it quits."""

import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2  # noqa: E402


def main(profile):
    storage = WebKit2.WebsiteDataManager(base_data_directory=f"{profile}/data", base_cache_directory=f"{profile}/cache")
    context = WebKit2.WebContext(website_data_manager=storage)
    context.set_automation_allowed(True)
    windows = []

    def open_tab(_session):
        tab = WebKit2.WebView(web_context=context, is_controlled_by_automation=True)
        tab.connect("close", Gtk.Widget.destroy)
        tab.show()
        tabs = windows[-1]
        tabs.set_current_page(tabs.append_page(tab))
        return tab

    def open_window(session):
        window = Gtk.Window(default_width=1280, default_height=900)
        windows.append(Gtk.Notebook(parent=window))
        window.show_all()
        return open_tab(session)

    def start(_context, session):
        about = WebKit2.ApplicationInfo()
        about.set_name("WebKitGTK")
        about.set_version(WebKit2.get_major_version(), WebKit2.get_minor_version(), WebKit2.get_micro_version())
        session.set_application_info(about)
        session.connect("create-web-view::tab", open_tab)
        session.connect("create-web-view::window", open_window)

    context.connect("automation-started", start)
    Gtk.main()


main(sys.argv[1])
